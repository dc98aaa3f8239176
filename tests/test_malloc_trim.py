"""Freed memory is returned to the system after the last call of any kind."""

import re
from collections.abc import Callable

import pytest

from charrnn.ui.server import malloc_trim
from tests.cli import ROOT


class Immediate:
    """A timer that does not wait."""

    def __init__(self, seconds: float, call: Callable[[], None]):
        self.start = call


def test_memory_is_trimmed_after_the_last_block(monkeypatch: pytest.MonkeyPatch):
    trims = []
    monkeypatch.setattr("threading.Timer", Immediate)
    monkeypatch.setattr(malloc_trim, "trim", lambda: trims.append(1))
    use = malloc_trim.MemoryUse()
    for n in (1, 2):
        with use.block():
            with use.block():
                pass
            assert len(trims) == n - 1
        assert len(trims) == n
    with pytest.raises(ValueError, match="failed"), use.block():
        raise ValueError("failed")
    assert len(trims) == 3


def test_every_module_that_answers_counts_its_memory():
    """Modules that register endpoints, or stream and measure in threads; those of page.py measure nothing."""
    sources = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "charrnn/ui").rglob("*.py")}
    answering = {name for name, source in sources.items() if re.search(r"\b(endpoint|run_sync)\(", source)}
    assert {name for name in answering if "MEMORY_USE.block()" not in sources[name]} == {"page.py"}
    assert len(answering) > 4
