"""What every test can ask for: `browser_path`, and below it whatever more than one room's tests need."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from charrnn.ui.server.checkpoint_store import Store
from tests.hub_client import Server
from tests.trained import train_all

CHECKPOINTS = Path(__file__).resolve().parents[1] / "checkpoints"

settings.register_profile(
    "charrnn", deadline=None, max_examples=50
)  # no timing is asserted, on a busy machine least of all
settings.load_profile("charrnn")


IN_A_BROWSER = {"app", "browser", "browser_path"}  # fixtures that start an app or a browser
WITH_A_SERVER = {"address", "server", "urls"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that start an app, a browser or a server."""
    for item in items:
        fixtures = set(getattr(item, "fixturenames", ()))
        if IN_A_BROWSER & fixtures:
            item.add_marker(pytest.mark.browser)
        elif WITH_A_SERVER & fixtures:
            item.add_marker(pytest.mark.process)


@pytest.fixture(scope="session")
def browser_path() -> Path:
    """The Chromium that browser tests start. No browser at all is a failure, never a skip."""
    from charrnn.bench.find_browser import find_browser

    path = find_browser()
    assert path is not None, "no Chromium: run `python -m charrnn.bench.find_browser`, which installs one"
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


SUITES = {
    "the Hub's contract": ("hub", "publish", "fetch", "space", "origin", "fresh_clone"),
    "bad files": ("refusals", "damaged_runs", "crash_safety"),
    "under attack": ("endpoints", "routes", "events"),
    "many processes": ("proxy", "sharing", "sweep"),
}


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """How many cases keep others' trust and how long they take, and what they tell by `record_property("told", …)`."""
    for suite, files in SUITES.items():
        of_suite = re.compile(rf".*/test_({'|'.join(files)})\.py::")
        reports = [each for each in terminalreporter.getreports("passed") if of_suite.match(each.nodeid)]
        if reports:
            seconds = sum(report.duration for report in reports)
            terminalreporter.write_line(f"{suite}: {len(reports)} cases passed in {seconds:.0f} s")
    for report in terminalreporter.getreports("passed"):
        for name, value in report.user_properties:
            if name == "told":
                terminalreporter.write_line(f"{report.nodeid.partition('::')[0]}: {value}")
