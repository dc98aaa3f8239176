"""What the page keeps of a text, for characters and networks out of the ordinary."""

from typing import Any

import numpy as np
from playwright.sync_api import Page

from charrnn.ui.messages import Columns, columns_part, packed

VALUES = np.array([[0.0, -0.0625], [1.0, -3.14], [65504.0, -6e-8], [3e-5, 2.0]])  # subnormal numbers too
START: dict[str, Any] = {
    "run": 1,
    "serial": 1,
    "model": {"characters": "a😀b"},
    "view": {"name": "c", "rows": 2, "low": -4, "high": 4, "change": 8, "bounded": False, "orders": {}},
    "prompt": 0,
    "start_logits": packed(np.zeros(3, "<f4")),
    "start_draw": None,
}


def more(text: str) -> dict[str, Any]:
    """A message that brings these characters, and the first of VALUES and logits with them."""
    logits = np.arange(3 * len(text), dtype="<f4").reshape(-1, 3)
    return {"serial": 2} | columns_part(0, Columns(text, VALUES[: len(text)], logits, [0.5, *[None] * (len(text) - 1)]))


def asked(page: Page, message: dict[str, Any], expression: str) -> Any:
    """What a record that has this message says."""
    return page.evaluate(
        f"""async ([start, more]) => {{
            const {{ TextRecord }} = await import("/charrnn/live_view/text_record.js");
            const record = new TextRecord(start);
            record.append(more);
            return {expression};
        }}""",
        [START, message],
    )


def test_a_character_outside_of_the_basic_plane_is_one_character(page: Page):
    found = asked(
        page, more("😀b"), "[record.vocabulary, record.characters, [0, 1].map(i => [...record.logitsAfter(i)])]"
    )
    assert found == [["a", "😀", "b"], ["😀", "b"], [[0, 1, 2], [3, 4, 5]]]


def test_values_are_what_half_precision_holds(page: Page):
    found = asked(page, more("aabb"), "[0, 1, 2, 3].map(i => [0, 1].map(row => record.value(i, row)))")
    assert found == VALUES.astype("<f2").astype(float).tolist()
    steps = asked(page, more("aabb"), "[0, 1, 2, 3].map(i => record.change(i, 1))")
    np.testing.assert_allclose(steps, np.diff(VALUES[:, 1], prepend=0), rtol=1e-3)


def test_colours_are_a_share_of_the_scale_and_end_with_it(page: Page):
    values, changes = (
        asked(page, more("aabb"), f"[0, 1, 2, 3].map(i => record.level(i, 1, {change}))")
        for change in ("false", "true")
    )
    assert values == [-2, -100, 0, 64]  # of 127 at 4
    assert changes == [-1, -49, 50, 32]  # of 127 at 8
    assert asked(page, more("aabb"), "record.level(2, 0, false)") == 127


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
    page.wait_for_function("charrnn.stats.lost > 0 && charrnn.live.received === 412")
    assert page.evaluate("charrnn.stats.lost") == 1
