"""What every test can ask for: `browser_path`, and below it whatever more than one room's tests need."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from charrnn.ui.store import Store
from tests.hub_client import Server
from tests.trained import train_all

CHECKPOINTS = Path(__file__).resolve().parents[1] / "checkpoints"

settings.register_profile("charrnn", deadline=None)  # no timing is asserted, on a busy machine least of all
settings.load_profile("charrnn")


@pytest.fixture(scope="session")
def browser_path() -> Path:
    """The Chromium that browser tests start. No browser at all is a failure, never a skip."""
    from scripts.browser import find_browser

    path = find_browser()
    assert path is not None, "no Chromium: run `python scripts/browser.py`, which installs one"
    return path


@pytest.fixture(scope="module")
def store() -> Store:
    """The bundled checkpoints."""
    return Store(CHECKPOINTS)


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of small networks that were really trained. For all tests: none may change it."""
    return train_all(tmp_path_factory.mktemp("trained"))


@pytest.fixture
def no_corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tiny Shakespeare is not on this machine: the analyses take another text."""
    monkeypatch.setenv("CHARRNN_CACHE", str(tmp_path))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """The Hub, played on this machine."""
    server = Server(tmp_path)
    yield server
    server.kill()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What passing tests have to tell by `record_property("told", …)`."""
    for report in terminalreporter.getreports("passed"):
        for name, value in report.user_properties:
            if name == "told":
                terminalreporter.write_line(str(value))
