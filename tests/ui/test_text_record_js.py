"""What the page keeps of a text, for characters and networks out of the ordinary."""

from typing import Any

import numpy as np
from playwright.sync_api import Page

VALUES = np.array([[0.0, -0.0625], [1.0, -3.14], [65504.0, -6e-8], [3e-5, 2.0]], np.float32)
START: dict[str, Any] = {
    "run": 1,
    "model": {"characters": "a😀b"},
    "view": {"name": "c", "rows": 2, "low": -4, "high": 4, "change": 8, "bounded": False, "orders": {}},
    "prompt": 0,
    "startLogits": [0, 0, 0],
    "startDraw": None,
}


def more(text: str) -> dict[str, Any]:
    """A message that brings these characters, and the first of VALUES and logits with them."""
    columns, logits = VALUES[: len(text)].ravel().tolist(), list(range(3 * len(text)))
    draws = [0.5, *[None] * (len(text) - 1)]
    return {"from": 0, "text": text, "columns": columns, "logits": logits, "draws": draws}


def asked(page: Page, message: dict[str, Any], expression: str) -> Any:
    """What a record that has this message says."""
    return page.evaluate(
        f"""async ([start, more]) => {{
            const {{ TextRecord }} = await import("/charrnn/components/text_record.js");
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


def test_values_and_their_changes(page: Page):
    found = asked(page, more("aabb"), "[0, 1, 2, 3].map(i => [0, 1].map(row => record.value(i, row)))")
    assert found == VALUES.astype(float).tolist()
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
