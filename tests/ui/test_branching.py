"""A text that branches, in a real browser: what stands there after a choice, undo and redo, and the ladder."""

import math
from typing import Any

import pytest
import torch
from playwright.sync_api import Page, expect

from charrnn.checkpoint import Checkpoint, load
from charrnn.invisible_chars import sign
from tests.ui.conftest import CHECKPOINTS
from tests.ui.page_actions import SLOWLY, generated, press, set_slider, set_speed, settled, start_writing, text, write

PROMPT = "ROMEO:\n"


def branched(checkpoint: Checkpoint, prompt: str, n: int, seed: int, edits: dict[int, str]) -> str:
    """The text that the package writes with these characters in place of drawn ones."""
    chosen = {at: checkpoint.vocab.ids[character] for at, character in edits.items()}
    return generated(checkpoint, prompt, n, seed, chosen=chosen)


@torch.no_grad()
def probabilities(checkpoint: Checkpoint, shown: str) -> torch.Tensor:
    """The model's own probabilities of each character, as torch has them, (T, V)."""
    ids = checkpoint.vocab.encode(shown)
    first = torch.from_numpy(checkpoint.model.decoder().prefill([]).logits)
    logits, _ = checkpoint.model(torch.tensor([ids]))
    return torch.cat([first[None], logits[0, :-1]]).double().softmax(-1)


def put_cursor(page: Page, position: int) -> None:
    """Click on a character of the text; from now on the distribution is that of the one after it."""
    page.evaluate("i => document.querySelectorAll('.cr-line span')[i].click()", position)
    page.wait_for_function(f"charrnn.live.cursor === {position}")


def row_of(page: Page, place: int) -> tuple[Any, str]:
    """A row of the distribution and its character."""
    row = page.locator(".cr-likely tr:visible").nth(place)
    return row, page.evaluate("row => charrnn.live.record.vocabulary[row.dataset.id]", row.element_handle())


def choose(page: Page, position: int, place: int) -> str:
    """Let the text branch at this position -> the character."""
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
        settled(page)
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
    assert page.evaluate("charrnn.live.cursor") == 149
    page.locator('[data-do="redo"]').click()
    page.wait_for_function("after => charrnn.live.text === after", arg=texts[1])
    page.locator("#cr-prompt").focus()
    page.keyboard.press("Control+Shift+z")  # in a text field it is the field's own
    page.locator(".cr-text").focus()
    page.keyboard.press("Control+Shift+z")
    page.keyboard.press("Control+y")
    page.wait_for_function("after => charrnn.live.text === after", arg=texts[3])
    assert text(page) == texts[3]
    expect(page.locator('[data-do="redo"]')).to_be_disabled()


def test_text_branches_while_running_and_paused(page: Page, checkpoint: Checkpoint):
    set_speed(page, SLOWLY)
    start_writing(page, at_least=30, prompt="B", characters=120, seed=3)
    put_cursor(page, 9)
    row, chosen = row_of(page, 3)
    row.locator("button").focus()
    page.keyboard.press("Enter")  # by the keyboard alone
    page.wait_for_function("charrnn.live.record.edits.length === 1 && charrnn.live.drawn > 12")
    assert page.evaluate("charrnn.live.drawn < 30 && charrnn.state === 'writing'")  # it was cut, and goes on
    press(page, "write")  # Pause
    settled(page)
    stood = text(page)
    assert stood == branched(checkpoint, "B", len(stood) - 1, 3, {9: chosen}) and stood[10] == chosen
    set_speed(page, 0)
    second = choose(page, 12, 5)
    settled(page)
    assert text(page) == branched(checkpoint, "B", 120, 3, {9: chosen, 11: second})
    assert page.evaluate("charrnn.state") == "finished"
    put_cursor(page, 0)
    page.keyboard.press("ArrowLeft")
    row_of(page, 1)[0].click()
    expect(page.locator(".cr-notice")).to_contain_text("Character 1 was given")
    page.locator('[data-do="undo"]').click()
    page.wait_for_function("before => charrnn.live.text === before", arg=stood)
    expect(page.locator('[data-action="write"]')).to_contain_text("Resume")


FIRSTS = """() => [...document.querySelectorAll(".cr-line span")]
    .filter((span, i, all) => !i || span.getBoundingClientRect().top > all[i - 1].getBoundingClientRect().top + 40)
    .map((span) => span.textContent)"""


def test_ladder_lists_top_candidates_below_each_character(page: Page, checkpoint: Checkpoint):
    shown = text(page)
    assert page.locator("[data-ladder]").count() == 0
    page.get_by_role("button", name="Ladder").click()
    ladder = page.evaluate("[...document.querySelectorAll('.cr-line span')].map(span => span.dataset.ladder)")
    probs = probabilities(checkpoint, shown)
    for position in range(1, len(shown)):
        likeliest = sorted(range(probs.shape[1]), key=lambda id: (-float(probs[position, id]), id))[:5]
        characters = [checkpoint.vocab.characters[id] for id in likeliest]
        assert ladder[position].split("\n") == [*map(sign, characters)], position
    box, under = (
        page.evaluate(f"(() => {{ const r = document.querySelectorAll('.cr-line span')[9].{what}; return r }})()")
        for what in ("getBoundingClientRect().width", "offsetHeight")
    )
    assert box == pytest.approx(page.evaluate("document.querySelectorAll('.cr-line span')[12].offsetWidth"), abs=1)
    assert under == pytest.approx(22 + 5 * 14, abs=2)
    firsts = page.evaluate(FIRSTS)
    assert len(firsts) > shown.count("\n") + 1 and " " not in firsts
    put_cursor(page, 40)
    at = probs[40]
    surprisal = -math.log2(float(at[checkpoint.vocab.encode(shown[40])[0]]))
    entropy = -float((at * at.log2()).sum())
    said = page.locator(".cr-surprise").inner_text()
    assert f"surprisal {surprisal:.2f} bits, where {entropy:.2f} were" in said
    assert text(page) == shown
    page.get_by_role("button", name="Ladder").click()
    assert page.evaluate("document.querySelectorAll('.cr-line span')[9].offsetHeight") < 30


def test_step_slider_can_rewrite_with_the_same_draws(page: Page, checkpoint: Checkpoint):
    set_speed(page, 0)
    before = write(page, prompt=PROMPT, characters=150, seed=5)
    page.get_by_label("write again, with the same dice").check()
    for index in (3, 4):
        set_slider(page, "step", index)
        step = checkpoint.info.saved_steps[index]
        page.wait_for_function(f"charrnn.live.record.model.step === {step} && charrnn.state === 'finished'")
        settled(page)
        again = text(page)
        assert again == branched(load(CHECKPOINTS / "rnn", step), PROMPT, 150, 5, {}) != before
    page.locator('[data-do="undo"]').click()
    page.wait_for_function("before => charrnn.live.text === before", arg=before)
