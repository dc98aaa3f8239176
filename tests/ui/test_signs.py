"""Invisible characters: page and Python show the same signs; writing direction."""

import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, expect

from charrnn.bench.app_process import running_app
from charrnn.bench.page_speed import ALIVE
from charrnn.invisible_chars import quoted, sign
from charrnn.vocab import Vocab
from tests.node import node_json
from tests.small_models import SMALL, save_small

ODD = "\r\u200b\u200f\xa0\u0301\u2028\ufeff\x1b"
LETTERS = "שלום"


def test_page_and_python_signs_agree():
    points = [*range(0xD800), *range(0xF900, 0x20000), *range(0xE0000, 0xE0200), 0x10FFFF]
    assigned = [chr(point) for point in points if unicodedata.category(chr(point)) != "Cn"]
    forms = node_json("visible_signs.mjs", assigned)
    different = [f"U+{ord(c):04X}" for c, form in zip(assigned, forms, strict=True) if form != [sign(c), quoted(c)]]
    assert different == []


@pytest.fixture(scope="module")
def odd_app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An app on a network whose vocabulary is Hebrew letters and invisible characters."""
    root = tmp_path_factory.mktemp("odd")
    save_small(root / "odd", SMALL["rnn"], Vocab("".join(sorted(set(f"\n {ODD}{LETTERS}")))))
    with running_app(str(root), CHARRNN_CACHE=str(root / "none"), HF_HUB_OFFLINE="1") as address:
        yield address


def test_invisible_characters_have_signs(odd_app: str, context: BrowserContext):
    page = context.new_page()
    page.goto(odd_app)
    page.wait_for_function(ALIVE)
    page.evaluate("document.querySelector('.cr-reading').open = true")
    # A text box turns a carriage return into a line feed: all but the first of ODD.
    passage = f"{LETTERS} {ODD[1:]} x\n".replace("x", LETTERS)
    page.locator("#cr-passage").fill(passage)
    page.locator('[data-action="read"]').click()
    page.wait_for_function("passage => charrnn.live.text === passage", arg=passage)
    spans = page.locator(".cr-line span")
    for position, character in enumerate(passage):
        if character in ODD and character != "\u0301":
            assert spans.nth(position).get_attribute("data-sign") == sign(character)
            assert (spans.nth(position).bounding_box() or {"width": 0})["width"] >= 4, sign(character)
    rows = page.locator(".cr-likely tr:visible .cr-sign").all_inner_texts()
    assert len(rows) == 9 and all(row.strip() for row in rows)
    assert len(set(rows)) == len(rows) and set(rows) <= {sign(character) for character in f"\n {ODD}{LETTERS}"}


def test_lines_follow_the_direction_of_their_script(odd_app: str, context: BrowserContext):
    page = context.new_page()
    page.goto(f"{odd_app}?read={LETTERS}%0A")
    page.wait_for_function("window.charrnn?.live?.record?.length > 2")
    line = page.locator(".cr-line").first
    expect(line).to_have_attribute("dir", "auto")
    assert line.evaluate("element => element.matches(':dir(rtl)')")


def test_every_textarea_has_automatic_direction():
    ui = Path(__file__).resolve().parents[2] / "charrnn/ui"
    for html in ui.rglob("*.html"):
        source = html.read_text(encoding="utf-8")
        assert source.count("<textarea") == source.count('<textarea dir="auto"'), html.name
