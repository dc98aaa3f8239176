"""Nobody writes for a page that is paused, or gone."""

import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext

from charrnn import ui
from charrnn.ui.store import Store
from tests.ui.conftest import CHECKPOINTS, free_port, open_page
from tests.ui.page_actions import press, set_speed, settled, start_writing


@pytest.fixture
def served() -> Iterator[tuple[Store, str]]:
    """The page served by this process, so that its store can be looked into."""
    store = Store(CHECKPOINTS)
    demo = ui.build_demo(store)
    yield store, ui.serve(demo, "127.0.0.1", free_port())
    demo.close()


def soon(store: Store, writers: int) -> bool:
    """Whether the store comes to have so many writers."""
    for _ in range(200):
        if len(store.writers) == writers:
            return True
        time.sleep(0.1)
    return False


def test_a_page_that_is_paused_or_closed_has_no_writer(context: BrowserContext, served: tuple[Store, str]):
    store, address = served
    page = open_page(context, address)
    assert soon(store, 0)
    set_speed(page, 10)
    start_writing(page, at_least=10, characters=2000)
    assert soon(store, 1)
    press(page, "write")
    settled(page)
    assert soon(store, 0)
    press(page, "write")
    assert soon(store, 1)
    page.close()
    assert soon(store, 0)
