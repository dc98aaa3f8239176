"""The tab Lab sheet: the answers and their links."""

import json
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, expect

from charrnn.paths import LAB_SHEET
from charrnn.training import RECIPES
from charrnn.ui.lab_sheet import answers
from charrnn.ui.page import ANALYSIS_TABS
from charrnn.ui.server.checkpoint_store import Store
from charrnn.ui.server.share_link import NUMBERS, TABS
from charrnn.ui.server.view_query import ViewQuery
from tests.ui.compare_helpers import decoded
from tests.ui.conftest import open_page

LINKS = [(key, link) for key, links in answers.LINKS.items() for link in links]


def test_every_section_has_links():
    assert [section.key for section in answers.read_record(LAB_SHEET).sections] == [*answers.LINKS]


def test_links_name_parts_and_networks(trained: Path):
    store = Store(trained)
    parts = {TABS[name]: {f"#{part.elem_id}" for part in parts(store)} for name, parts in ANALYSIS_TABS.items()}
    parts[TABS["write"]] = {"#cr-temperature", "#cr-top_k"}
    assert [link for _, link in LINKS if link.part and link.part not in parts[link.tab]] == []
    compared = [dict(link.compare or {}) for _, link in LINKS]
    sides = {values.pop(side, "") for values in compared for side in "ab"}
    names = {name for _, link in LINKS for name in (*link.tick, link.model)} | sides
    assert names - {""} <= set(RECIPES)
    assert {name for values in compared for name in values} <= set(NUMBERS)


@pytest.mark.parametrize("content", [None, "{", "[]", '{"sections": [{"key": 1}]}'])
def test_invalid_record_says_what_writes_it(tmp_path: Path, content: str | None):
    path = tmp_path / "lab_sheet.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ValueError, match="python scripts/report.py"):
        decoded(answers.answers(ViewQuery(), path))


def test_lab_sheet_shows_answers_and_its_links_land(context: BrowserContext, trained_app: str):
    page = open_page(context, trained_app + "?tab=lab")
    record = json.loads(LAB_SHEET.read_text())
    sections = page.locator(".cr-lab-section")
    expect(sections).to_have_count(len(record["sections"]))
    first = record["sections"][0]["answers"][0]
    expect(sections.first.locator(".cr-verdict")).to_have_text([first["verdict"]])
    expect(sections.first).to_contain_text(first["finding"])
    expect(sections.first).to_contain_text(first["commands"][0])

    def open_link(section: str, name: str) -> None:
        page.get_by_role("tab", name="Lab sheet").click()
        sections.filter(has=page.get_by_role("heading", name=section)).get_by_role("button", name=name).click()

    def expect_part(tab: str, part: str) -> None:
        expect(page.get_by_role("tab", name=tab)).to_have_attribute("aria-selected", "true")
        page.wait_for_function(
            """(part) => {
                const top = document.querySelector(part)?.getBoundingClientRect().top ?? Infinity;
                const isAtEnd = scrollY + innerHeight >= document.documentElement.scrollHeight - 2;
                return Math.abs(top) < 100 || (isAtEnd && top < innerHeight);
            }""",
            arg=part,
        )

    open_link("Stretch 1", "LSTM gates, live (switches to LSTM)")
    expect(page.get_by_role("tab", name="Write")).to_have_attribute("aria-selected", "true")
    expect(page.locator("#cr-model")).to_have_value("lstm")
    open_link("4 ·", "the temperature, live")
    expect(page.locator("#cr-temperature")).to_be_focused()
    open_link("5 ·", "with and without clipping")
    expect_part("Gradients", "#cr-clipping")
    page.evaluate("document.querySelector('#cr-flow').style.paddingBottom = '900px'")  # a figure above loads later
    expect_part("Gradients", "#cr-clipping")
    open_link("Stretch 7", "time of each part")
    expect_part("Under the hood", "#cr-profile")
    open_link("Stretch 2", "exercise: make it forget")
    expect_part("Neurons", "#cr-exercises")
    expect(page.locator("#cr-model")).to_have_value("gru")
    written = page.locator("#cr-dice .cr-writer h3")
    open_link("4 ·", "two temperatures")
    expect(written).to_have_text(["A · Vanilla RNN, T = 0.5", "B · Vanilla RNN, T = 1.2"])
    expect_part("Compare", "#cr-dice")
    open_link("Stretch 6", "two filters")
    expect(written).to_have_text(["A · LSTM, k = 5", "B · LSTM, p = 0.9"])
    expect(page.locator("#cr-dice [name=a_top_k]")).to_be_visible()
    open_link("6 ·", "scoreboard")
    expect_part("Compare", "#cr-results")
    page.go_back()
    expect(page.get_by_role("tab", name="Lab sheet")).to_have_attribute("aria-selected", "true")
    expect(page.get_by_role("button", name="scoreboard")).to_be_in_viewport()
