"""Under the hood, self-checks: results compared with independent computations."""

import hashlib
import platform
import time
from collections.abc import Hashable, Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from charrnn import self_checks
from charrnn.checkpoint import MODEL
from charrnn.hub import commit_of
from charrnn.model import CharRNN
from charrnn.paths import BUNDLED
from charrnn.sampling import SamplingSettings
from charrnn.self_checks import Check
from charrnn.torch_reference import TorchCharRNN
from charrnn.ui.server.analysis_cache import fingerprint
from charrnn.ui.server.checkpoint_store import Store
from charrnn.ui.server.error_location import locate_error
from charrnn.ui.server.generation_defaults import PROMPT, SEED
from charrnn.ui.server.loaded_model import LoadedModel
from charrnn.ui.server.page_messages import packed
from charrnn.ui.server.streaming import message
from charrnn.ui.server.view_query import ViewQuery

PINS = BUNDLED / "requirements.txt"  # part of the repository
LIBRARIES = ("torch", "numpy", "gradio", "safetensors", "plotly", "huggingface-hub")
SAMPLE_CHARS = 120
SAMPLE_SETTINGS = SamplingSettings(temperature=0.9, top_k=40, top_p=0.95, min_p=0.01)


class SharedChecks:
    """Runs the checks of one model at a time. Calls that waited share a result."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._last: dict[Hashable, tuple[float, list[dict[str, Any]]]] = {}
        self.waiting = 0  # for the lock

    def of(self, loaded: LoadedModel) -> list[dict[str, Any]]:
        """Return the results of a run that began after this call."""
        called, key = time.monotonic(), fingerprint(loaded)
        self.waiting += 1
        with self._lock:
            self.waiting -= 1
            began, lines = self._last.get(key, (-1.0, []))
            if began < called:
                began = time.monotonic()
                lines = measured(loaded)
                self._last = {key: (began, lines)}
            return lines


def self_check_results(store: Store, measurements: SharedChecks, query: ViewQuery) -> Iterator[str]:
    """Show each check with its value and limit. Raises ValueError."""
    loaded = store.load(query.choice.name, query.choice.step)
    try:
        lines = measurements.of(loaded)
    except Exception as error:  # of an edited cell
        yield message(query.number, locate_error(error))
        return
    failing = [line["claim"] for line in lines if line["holds"] is False]
    words = f"{len(failing)} of these fail: {'; '.join(failing)}." if failing else "All of these hold."
    words = " ".join([words, *loaded.checkpoint.model.notices()])
    words = f"{words} Measured for {loaded.title}, step {loaded.checkpoint.step}."
    yield message(query.number, words, lines=lines, failing=len(failing), sample=reference_sample(loaded))


def measured(loaded: LoadedModel) -> list[dict[str, Any]]:
    """Run all checks of a model on the server."""
    network, ids = loaded.checkpoint.model, _some_ids(loaded)
    checks = [*map(self_checks.cell_matches_torch, TorchCharRNN.LAYERS)]
    if isinstance(network, CharRNN):
        checks.append(self_checks.bptt_matches_autograd(network, ids))
    checks += [
        self_checks.gradient_matches_finite_difference(network, ids),
        self_checks.stepwise_matches_batch(network, ids),
    ]
    return [*map(_line_of, checks), *of_sampling(loaded), *of_file(loaded), *versions()]


def line(claim: str, value: str, limit: str, holds: bool | None, how: str = "") -> dict[str, Any]:
    """Return one line; `holds` is None without a limit."""
    return {"claim": claim, "value": value, "limit": limit, "holds": holds, "how": how}


def _line_of(check: Check) -> dict[str, Any]:
    return line(check.claim, f"{check.difference:.1e}", f"at most {check.limit:.0e}", check.holds, check.how)


def _some_ids(loaded: LoadedModel) -> list[int]:
    """Return the ids of the sample text, or of every known character if it is short."""
    ids = loaded.vocab.encode(loaded.passage[: self_checks.MAX_CHARS])
    return ids if len(ids) > self_checks.T else [i % len(loaded.vocab) for i in range(self_checks.MAX_CHARS)]


def digest(text: str) -> str:
    """Return the hash of a text, which the page computes likewise."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()[:12]


def of_sampling(loaded: LoadedModel) -> list[dict[str, Any]]:
    """Check that `generate`, which runs the recorded step, matches `sample`."""
    claim, limit = "Server and Python write the same text", "the same hash"
    prompt = loaded.vocab.encode(loaded.vocab.default_prompt(PROMPT))
    how = f"seed {SEED}, {SAMPLE_CHARS} characters: generate(…), which runs the recorded step, and sample(…)"
    try:
        samples = self_checks.sample_twice(loaded.checkpoint.model, prompt, SAMPLE_CHARS, SAMPLE_SETTINGS, SEED)
    except ValueError as error:
        return [line(claim, str(error), limit, False, how)]
    recorded, direct = (digest(loaded.vocab.decode(ids)) for ids in samples)
    value = recorded if recorded == direct else f"{recorded}, {direct}"
    return [line(claim, value, limit, recorded == direct, how)]


def reference_sample(loaded: LoadedModel) -> dict[str, Any] | None:
    """Return a sample and its inputs, for the page to repeat; None if sampling fails."""
    prompt = loaded.vocab.default_prompt(PROMPT)
    try:
        steps = loaded.sample(prompt, SAMPLE_CHARS, SAMPLE_SETTINGS, SEED)
    except ValueError:
        return None
    return {
        "logits": packed(np.stack([step.logits for step in steps]).astype("<f4")),
        "draws": [step.u for step in steps],
        "characters": loaded.vocab.characters,
        "settings": vars(SAMPLE_SETTINGS),
        "prompt": prompt,
        "seed": SEED,
        "text": loaded.text_of(steps),
        "digest": digest(loaded.text_of(steps)),
    }


def of_file(loaded: LoadedModel) -> list[dict[str, Any]]:
    """Check that the file is the one that was loaded, and name its revision."""
    info = loaded.info
    try:
        sha256 = hashlib.sha256((info.folder / MODEL).read_bytes()).hexdigest()
    except OSError as error:
        sha256 = error.strerror or "unreadable"
    how = f"step {loaded.checkpoint.step} of {info.step}, {info.parameters:,} parameters, trained with seed {info.seed}"
    file = line(
        "The checkpoint's file has not changed", sha256[:12], f"sha256 {info.sha256[:12]}", sha256 == info.sha256, how
    )
    commits = [commit_of(folder) for folder in (info.folder, info.folder.parent)]
    revision = next(filter(None, commits), None)
    where = "the Hub repository's commit" if revision else "a local folder, not from the Hub"
    return [file, line("Revision", revision or "local", "–", None, where)]


def versions(pins: Path = PINS) -> list[dict[str, Any]]:
    """Compare the installed versions of libraries with the pinned ones."""
    try:
        pinned = dict(pin.split("==") for pin in pins.read_text(encoding="utf-8").split())
    except (OSError, ValueError):
        pinned = {}
    lines = [line("Python", platform.python_version(), "3.11 or newer", None, platform.platform(terse=True))]
    for name in LIBRARIES:
        try:
            found = version(name)
        except PackageNotFoundError:
            found = "missing"
        pin = pinned.get(name)
        lines.append(line(name, found, f"pinned {pin}" if pin else "–", found.split("+")[0] == pin if pin else None))
    return lines
