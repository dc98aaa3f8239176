"""Fixtures of several test files, markers by fixture, and the order of the files."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from charrnn.paths import CHECKPOINTS
from charrnn.ui.server.checkpoint_store import Store
from tests.hub_client import Server
from tests.trained_checkpoints import train_all

if TYPE_CHECKING:
    from charrnn.site import Site

UI = Path(__file__).resolve().parent / "ui"

settings.register_profile("charrnn", deadline=None, max_examples=50)  # no test asserts a timing
settings.load_profile("charrnn")


IN_A_BROWSER = {"app", "browser", "browser_path"}  # fixtures that start an app or a browser
WITH_A_SERVER = {"address", "server", "urls"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put tests/ui last, largest file first; mark tests that start a process."""
    items.sort(key=lambda item: (item.path.parent == UI, -item.path.stat().st_size if item.path.parent == UI else 0))
    for item in items:
        fixtures = set(getattr(item, "fixturenames", ()))
        if IN_A_BROWSER & fixtures:
            item.add_marker(pytest.mark.browser)
        elif WITH_A_SERVER & fixtures:
            item.add_marker(pytest.mark.process)


@pytest.fixture(scope="session")
def browser_path() -> Path:
    """The Chromium of browser tests; without one they fail, they are not skipped."""
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
    """A read-only folder of small trained networks, shared by all tests."""
    return train_all(tmp_path_factory.mktemp("trained"))


@pytest.fixture(scope="session")
def site_root(trained: Path) -> Iterator[Path]:
    """Two of the small networks, with their training steps."""
    from charrnn.site import selected_checkpoints

    with selected_checkpoints(trained, ["rnn", "lstm"], steps=True) as folder:
        yield folder


@pytest.fixture(scope="session")
def site(site_root: Path) -> "Site":
    """The static page of two small networks."""
    from charrnn.site import build_site

    return build_site(site_root)


@pytest.fixture
def no_corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty corpus cache: analyses use another text than Tiny Shakespeare."""
    monkeypatch.setenv("CHARRNN_CACHE", str(tmp_path))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A fake Hub on this machine."""
    server = Server(tmp_path)
    yield server
    server.kill()
