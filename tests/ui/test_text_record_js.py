"""What the page keeps of a text, for characters and networks out of the ordinary."""

import base64
from typing import Any

import numpy as np
from playwright.sync_api import Page

from charrnn.ui.messages import packed


def test_a_character_outside_of_the_basic_plane_is_one_character(page: Page):
    logits = np.arange(6, dtype="<f4").reshape(2, 3)
    start: dict[str, Any] = {
        "run": 1,
        "serial": 1,
        "model": {"characters": "a😀b", "units": 2},
        "prompt": 0,
        "orders": {},
        "start_logits": packed(np.zeros(3, "<f4")),
        "start_draw": None,
    }
    more = {
        "serial": 2,
        "from": 0,
        "text": "😀b",
        "columns": base64.b64encode(bytes([1, 2, 3, 4])).decode(),
        "logits": packed(logits),
        "draws": [0.5, None],
    }
    found = page.evaluate(
        """async ([start, more]) => {
            const { TextRecord } = await import("/charrnn/live_view/text_record.js");
            const record = new TextRecord(start);
            record.append(more);
            return [record.vocabulary, record.characters, [...record.logitsAfter(0)], [...record.logitsAfter(1)]];
        }""",
        [start, more],
    )
    assert found == [["a", "😀", "b"], ["😀", "b"], [0, 1, 2], [3, 4, 5]]


def test_the_magnifier_shows_a_network_with_few_units(page: Page):
    """Five rows: a lens of thirteen would read rows that are not there."""
    page.evaluate("charrnn.live.map.rows = charrnn.live.map.rows.slice(0, 5); charrnn.live.map.measure()")
    box = page.locator(".cr-canvas").bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 20)
    assert page.locator(".cr-lens").evaluate("lens => lens.height / charrnn.live.map.ratio") == 5 * 14 + 20


def test_messages_that_miss_one_are_asked_for_once(page: Page):
    page.evaluate("charrnn.live.record.characters.length -= 5")  # as if they had never come
    page.evaluate("for (let i = 0; i < 5; i++) document.querySelector('[data-action=step]').click()")
    page.wait_for_function("charrnn.stats.lost > 0 && charrnn.live.received === 432")
    assert page.evaluate("charrnn.stats.lost") == 1
