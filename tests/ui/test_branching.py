"""Edited texts: chosen characters, undo and redo, and the candidates."""

import math
from typing import Any

import pytest
import torch
from playwright.sync_api import Page, expect

from charrnn.checkpoint import Checkpoint, load
from charrnn.invisible_chars import sign
from tests.ui.conftest import CHECKPOINTS, PHONE
from tests.ui.page_actions import (
    generated,
    set_slider,
    set_speed,
    start_writing,
    text,
    wait_until_idle,
    write,
)

PROMPT = "ROMEO:\n"


def branched(checkpoint: Checkpoint, prompt: str, n: int, seed: int, edits: dict[int, str]) -> str:
    """Return the text generated with these characters in place of drawn ones."""
    chosen = {at: checkpoint.vocab.ids[character] for at, character in edits.items()}
    return generated(checkpoint, prompt, n, seed, chosen=chosen)


@torch.no_grad()
def probabilities(checkpoint: Checkpoint, shown: str) -> torch.Tensor:
    """The model's probabilities before each character, computed by torch, (T, V)."""
    ids = checkpoint.vocab.encode(shown)
    first = torch.from_numpy(checkpoint.model.decoder().prefill([]).logits)
    logits, _ = checkpoint.model(torch.tensor([ids]))
    return torch.cat([first[None], logits[0, :-1]]).double().softmax(-1)


def put_cursor(page: Page, position: int) -> None:
    """Click on a character of the text, to show the distribution of the next one."""
    page.evaluate("i => document.querySelectorAll('.cr-line span')[i].click()", position)
    page.wait_for_function(f"charrnn.live.cursor === {position}")


def row_of(page: Page, place: int) -> tuple[Any, str]:
    """A row of the distribution and its character."""
    row = page.locator(".cr-likely tr:visible").nth(place)
    return row, page.evaluate("row => charrnn.live.record.vocabulary[row.dataset.id]", row.element_handle())


def choose(page: Page, position: int, place: int) -> str:
    """Choose the candidate in this row at a position; return its character."""
    put_cursor(page, position - 1)
    row, character = row_of(page, place)
    row.click()
    page.wait_for_function(f"charrnn.live.record.edits.some(([at]) => at === {position} - charrnn.live.record.prompt)")
    return character


@pytest.mark.smoke
def test_chosen_character_rewrites_text_and_undo_restores_it(page: Page, checkpoint: Checkpoint):
    set_speed(page, 0)
    first = write(page, prompt=PROMPT, characters=200, seed=7)
    edits: dict[int, str] = {}
    texts = [first]
    for position, place in ((150, 4), (60, 2), (120, 6)):
        edits = {at: chosen for at, chosen in edits.items() if at < position - 7}
        edits[position - 7] = choose(page, position, place)
        wait_until_idle(page)
        expect(page.locator(".cr-replaced")).to_contain_text(texts[-1][position : position + 5].replace("\n", "⏎"))
        assert text(page) == branched(checkpoint, PROMPT, 200, 7, edits) == page.evaluate("charrnn.live.text")
        assert text(page)[:position] == texts[-1][:position] and page.evaluate("charrnn.state") == "finished"
        texts.append(text(page))
    assert page.evaluate("charrnn.live.record.edits") == [[at, edits[at]] for at in sorted(edits)]
    marked = page.evaluate(
        "[...document.querySelectorAll('.cr-chosen')].map(span => [span.position, span.textContent])"
    )
    assert marked == [[at + 7, edits[at]] for at in sorted(edits)]
    for before in texts[-2::-1]:
        page.keyboard.press("Control+z")
        page.wait_for_function("before => charrnn.live.text === before", arg=before)
    expect(page.locator(".cr-replaced")).to_be_hidden()
    assert page.evaluate("charrnn.live.cursor") == 149
    page.locator('[data-do="redo"]').click()
    page.wait_for_function("after => charrnn.live.text === after", arg=texts[1])
    page.locator("#cr-prompt").focus()
    page.keyboard.press("Control+Shift+z")  # a text field has its own history
    page.locator(".cr-text").focus()
    page.keyboard.press("Control+Shift+z")
    page.keyboard.press("Control+y")
    page.wait_for_function("after => charrnn.live.text === after", arg=texts[3])
    assert text(page) == texts[3]
    expect(page.locator('[data-do="redo"]')).to_be_disabled()
    put_cursor(page, 0)
    page.keyboard.press("ArrowLeft")
    row_of(page, 1)[0].locator("button").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".cr-notice")).to_contain_text("belongs to the prompt")


def offered(page: Page) -> list[tuple[str, str]]:
    """The letters of the open popover with their percentages."""
    buttons = page.locator(".cr-alternatives:popover-open .cr-alternatives-list button")
    return buttons.evaluate_all("all => all.map(b => [b.firstChild.textContent, b.lastChild.textContent])")


def test_clicked_letter_offers_others_for_its_place(page: Page, checkpoint: Checkpoint):
    set_speed(page, 0)
    shown = write(page, prompt=PROMPT, characters=60, seed=7)
    page.set_viewport_size(PHONE)
    last_in_line = page.evaluate(LAST_IN_LINE)
    for position in (20, last_in_line):
        page.locator(".cr-line span").nth(position).click()
        box = page.locator(".cr-alternatives").bounding_box()
        assert box and box["x"] >= 0 and box["x"] + box["width"] <= PHONE["width"]
        assert box["y"] >= 0 and box["y"] + box["height"] <= PHONE["height"]
        probs = probabilities(checkpoint, shown)[position]
        top = sorted(range(len(probs)), key=lambda id: (-float(probs[id]), id))[:7]
        expected = [[sign(checkpoint.vocab.characters[id]), f"{100 * float(probs[id]):.1f}\u00a0%"] for id in top]
        assert [row for row in offered(page)[:7] if "<" not in row[1]] == [row for row in expected if row[1] > "0.1"]
        page.keyboard.press("Escape")
        expect(page.locator(".cr-alternatives")).to_be_hidden()
        assert page.evaluate("document.activeElement.className").startswith("cr-text")
        assert page.evaluate("charrnn.live.cursor") == position
    page.locator(".cr-line span").nth(30).click()
    page.keyboard.press("Escape")
    page.keyboard.press("Enter")
    page.keyboard.press("ArrowDown")
    (chosen,) = checkpoint.vocab.encode(page.evaluate("document.activeElement.firstChild.textContent"))
    page.keyboard.press("Enter")
    wait_until_idle(page)
    assert text(page) == branched(checkpoint, PROMPT, 60, 7, {23: checkpoint.vocab.characters[chosen]})
    page.locator(".cr-line span").nth(2).click()
    expect(page.locator(".cr-alternatives-note")).to_contain_text("belongs to the prompt")
    assert page.locator(".cr-alternatives-list button:enabled").count() == 0


def test_letter_can_be_chosen_while_the_network_writes(page: Page):
    set_speed(page, 120)
    start_writing(page, 400, prompt=PROMPT, characters=2000, seed=7)
    page.set_viewport_size(PHONE)
    drawn = page.evaluate("(document.querySelector('.cr-text').scrollTop = 1e6) && charrnn.live.drawn")
    page.wait_for_function("(n) => charrnn.live.drawn > n + 20", arg=drawn)
    drawn = page.evaluate("charrnn.live.drawn")
    letter, popover = page.locator(".cr-line span").nth(drawn - 60), page.locator(".cr-alternatives")
    letter.click()
    top = letter.evaluate("letter => letter.getBoundingClientRect().top")
    page.wait_for_function("(n) => charrnn.live.drawn > n + 60", arg=page.evaluate("charrnn.live.drawn"))
    assert letter.evaluate("letter => letter.getBoundingClientRect().top") == top
    popover.locator("button:enabled").nth(2).click()
    page.wait_for_function("charrnn.live.record.edits.length && charrnn.live.drawn > charrnn.live.record.prompt + 60")
    expect(page.locator(".cr-replaced")).to_be_visible()
    page.get_by_role("button", name="Undo").click()
    page.wait_for_function("!charrnn.live.record.edits.length")
    restored, text_box = (page.locator(each).bounding_box() for each in (".cr-cursor", ".cr-text"))
    assert restored and text_box and text_box["y"] <= restored["y"] <= text_box["y"] + text_box["height"]


LAST_IN_LINE = """() => {
    const spans = [...document.querySelectorAll(".cr-line span")];
    const top = (span) => span.getBoundingClientRect().top;
    return spans.findIndex((span, i) => i > 20 && top(spans[i + 1]) > top(span));
}"""

FIRST_OF_LINES = """() => [...document.querySelectorAll(".cr-line span")]
    .filter((span, i, all) => !i || span.getBoundingClientRect().top > all[i - 1].getBoundingClientRect().top + 40)
    .map((span) => span.textContent)"""


def test_draw_of_another_character_is_explained(page: Page, checkpoint: Checkpoint):
    set_speed(page, 0)
    before = write(page, prompt=PROMPT, characters=60, seed=7)
    chosen, drawn = choose(page, 30, 5), before[30]
    wait_until_idle(page)
    put_cursor(page, 29)
    assert chosen != drawn
    said = page.locator(".cr-other-draw")
    expect(said).to_contain_text(f"You chose “{sign(chosen)}” (framed); the draw would have given “{sign(drawn)}”")
    for place in (".cr-likely", ".cr-bar-signs"):
        assert page.locator(f"{place} .cr-next:visible").all_inner_texts()[0].split()[0] == sign(chosen)
        assert page.locator(f"{place} .cr-landed:visible").all_inner_texts()[0].split()[0] == sign(drawn)
    put_cursor(page, 40)
    expect(said).to_be_empty()
    set_slider(page, "temperature", 0)
    rest = [position for position in range(31, 60) if "now" in said_at(page, position)]
    logits = probabilities(checkpoint, text(page))
    likeliest = [checkpoint.vocab.characters[int(row.argmax())] for row in logits]
    assert rest == [position for position in range(31, 60) if likeliest[position] != text(page)[position]] != []


def said_at(page: Page, position: int) -> str:
    """Return the note on the draw of the character at a position."""
    put_cursor(page, position - 1)
    return page.locator(".cr-other-draw").inner_text()


def test_runners_up_are_listed_below_each_character(page: Page, checkpoint: Checkpoint):
    shown = text(page)
    assert page.locator("[data-runners-up]").count() == 0
    page.get_by_role("button", name="Runners-up").click()
    shown_below = page.evaluate("[...document.querySelectorAll('.cr-line span')].map(span => span.dataset.runnersUp)")
    probs = probabilities(checkpoint, shown)
    for position in range(1, len(shown)):
        likeliest = sorted(range(probs.shape[1]), key=lambda id: (-float(probs[position, id]), id))[:5]
        characters = [checkpoint.vocab.characters[id] for id in likeliest]
        assert shown_below[position].split("\n") == [*map(sign, characters)], position
    width, height = (
        page.evaluate(f"(() => {{ const r = document.querySelectorAll('.cr-line span')[9].{what}; return r }})()")
        for what in ("getBoundingClientRect().width", "offsetHeight")
    )
    assert width == pytest.approx(page.evaluate("document.querySelectorAll('.cr-line span')[12].offsetWidth"), abs=1)
    assert height == pytest.approx(22 + 5 * 14, abs=2)
    firsts = page.evaluate(FIRST_OF_LINES)
    assert len(firsts) > shown.count("\n") + 1 and " " not in firsts
    put_cursor(page, 40)
    here = probs[40]
    surprisal = -math.log2(float(here[checkpoint.vocab.encode(shown[40])[0]]))
    entropy = -float((here * here.log2()).sum())
    words = f"cost {surprisal:.2f} bits; on average this place costs {entropy:.2f}"
    assert words in page.locator(".cr-surprise").inner_text()
    assert text(page) == shown
    page.get_by_role("button", name="Runners-up").click()
    assert page.evaluate("document.querySelectorAll('.cr-line span')[9].offsetHeight") < 30


def test_step_slider_rewrites_with_the_same_draws(page: Page, checkpoint: Checkpoint):
    set_speed(page, 0)
    before = write(page, prompt=PROMPT, characters=150, seed=5)
    for index in (3, 4):
        set_slider(page, "step", index)
        step = checkpoint.info.saved_steps[index]
        page.wait_for_function(f"charrnn.live.record.model.step === {step} && charrnn.state === 'finished'")
        wait_until_idle(page)
        again = text(page)
        assert again == branched(load(CHECKPOINTS / "rnn", step), PROMPT, 150, 5, {}) != before
    page.locator('[data-do="undo"]').click()
    page.wait_for_function("before => charrnn.live.text === before", arg=before)
