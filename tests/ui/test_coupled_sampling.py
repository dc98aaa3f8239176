"""The part "Same luck" of the tab Compare: two models with the same draws."""

from dataclasses import replace
from typing import Any, NamedTuple

from playwright.sync_api import BrowserContext, Page, expect
from pytest import approx

from charrnn.checkpoint import load
from charrnn.invisible_chars import quoted, sign
from charrnn.number_format import percent
from charrnn.sampling import SamplingSettings, Step, UniformStream, generate
from tests.ui.compare_helpers import SETTINGS, open_compare
from tests.ui.conftest import CHECKPOINTS

PROMPT = "ROMEO:\n"


class Sample(NamedTuple):
    """A text that a bundled model writes alone, with its steps."""

    text: str
    steps: list[Step]
    characters: str  # of the vocabulary


def sample(
    name: str, step: int | None = None, settings: SamplingSettings = SETTINGS, seed: int = 12, prompt: str = PROMPT
) -> Sample:
    """Write 300 characters, by default as the view does at first."""
    trained = load(CHECKPOINTS / name, step)
    decoder = trained.model.decoder()
    start = decoder.prefill(trained.vocab.encode(prompt))
    steps = list(generate(decoder, start, 300, settings, UniformStream(seed)))
    return Sample(trained.vocab.decode(step.id for step in steps), steps, trained.vocab.characters)


def wait_for_texts(page: Page, *samples: Sample, prompt: str = PROMPT) -> None:
    page.wait_for_function(
        """(texts) => {
            const shown = [...document.querySelectorAll('#cr-dice .cr-written')].map((place) => place.textContent);
            return JSON.stringify(shown) === JSON.stringify(texts);
        }""",
        arg=[prompt + sample.text for sample in samples],
    )


def interval(sample: Sample, at: int) -> tuple[float, float]:
    """The interval in which the character at a position was drawn."""
    found = sample.steps[at].distribution
    rank = found.order.tolist().index(sample.steps[at].id)
    ends = [0.0, *(found.cumulative / found.cumulative[-1]).tolist()]
    return ends[rank], ends[rank + 1]


def expect_side(side: Any, own: Sample, other: Sample, at: int) -> None:
    """Expect the most probable characters, with those of both texts marked."""
    rows = side.locator("li")
    found = own.steps[at].distribution
    for i, letter in enumerate(rows.locator(".cr-letter").all_text_contents()[:4]):  # neither of both texts has them
        assert letter == sign(own.characters[found.order[i]])
        expect(rows.nth(i).locator(".cr-chance")).to_have_text(percent(found.probs[i], 2))
    expect(rows).to_have_count(8)
    expect(rows.filter(has_text="◀ u").locator(".cr-letter")).to_have_text(sign(own.text[at]))
    expect(rows.filter(has_text="took this one").locator(".cr-letter")).to_have_text(sign(other.text[at]))


def test_coupled_texts_are_shown_with_their_divergence(context: BrowserContext, app: str):
    page, a, b = open_compare(context, app), sample("rnn"), sample("minigpt")
    at = next(i for i in range(300) if a.text[i] != b.text[i])
    u = UniformStream(12)[at]
    wait_for_texts(page, a, b)
    part = page.locator("#cr-dice")
    expect(part.locator(".cr-writer h3")).to_have_text(["A · Vanilla RNN", "B · MiniGPT"])
    assert part.locator("mark").all_text_contents() == [a.text[at], b.text[at]]
    assert part.locator(".cr-common").all_text_contents() == [a.text[:at]] * 2
    bars, words = part.locator(".cr-cumulative"), part.locator(".cr-plot-words")
    falls = [
        f"{quoted(each.text[at])} in {name} ({low:.3f} to {high:.3f})"
        for name, each in (("A", a), ("B", b))
        for low, high in [interval(each, at)]
    ]
    expect(words).to_have_text(
        f"The first {at} characters are the same. Then the random number {u:.3f} lands on {falls[0]} and on {falls[1]}."
    )
    for i, (own, other) in enumerate(((a, b), (b, a))):
        expect_side(part.locator(".cr-list").nth(i), own, other, at)
        low, high = interval(own, at)
        label = bars.nth(i).get_attribute("aria-label") or ""
        assert f"{quoted(own.text[at])} from {low:.4f} to {high:.4f}; u = {u:.4f}" in label
        box, landed = bars.nth(i).bounding_box(), bars.nth(i).locator(".cr-landed").bounding_box()
        needle = part.locator(".cr-u-place").bounding_box()
        assert box and landed and needle and landed["x"] <= needle["x"] + 1 <= landed["x"] + landed["width"]
        assert needle["x"] + 1 == approx(box["x"] + u * box["width"], abs=1.5)
        assert needle["y"] <= box["y"] and needle["y"] + needle["height"] >= box["y"] + box["height"]

    part.locator("summary").click()
    part.get_by_label("prompt").fill("R→O\n")
    part.get_by_label("prompt").press("Tab")
    wait_for_texts(page, sample("rnn", prompt="RO\n"), sample("minigpt", prompt="RO\n"), prompt="RO\n")
    expect(words).to_contain_text("Skipped 1 character that one of the two networks does not know: “→”.")
    part.get_by_label("prompt").fill(PROMPT)
    part.get_by_label("prompt").press("Tab")
    b_side, b_model = part.locator('[data-side="B"]'), page.locator('#cr-pair [data-side="B"]')
    b_model.get_by_label("network").select_option("rnn")
    wait_for_texts(page, a, a)
    expect(words).to_have_text(
        "Identical: both write the same 300 characters; the same network with the same settings and random numbers."
    )
    expect(part.locator(".cr-divergence")).to_be_hidden()
    b_side.get_by_label("top-k").fill("3")
    b_side.get_by_label("top-k").press("Enter")
    wait_for_texts(page, a, sample("rnn", settings=replace(SETTINGS, top_k=3)))
    expect(part.locator(".cr-remaining-count")).to_have_text(
        ["the likeliest of 65 characters, and the two drawn" + filters for filters in ("", "; the filters keep 3")]
    )
    b_side.get_by_label("top-k").fill("")
    b_model.get_by_label("training step").select_option("300")
    wait_for_texts(page, a, sample("rnn", 300))
    expect(part.locator(".cr-writer h3")).to_have_text(["A · Vanilla RNN", "B · Vanilla RNN, step 300"])
    b_model.get_by_label("training step").select_option("2000")
    b_side.get_by_label("temperature").fill("0")
    b_side.get_by_label("temperature").press("Enter")
    part.get_by_role("button", name="New random numbers").click()
    cold = sample("rnn", settings=SamplingSettings(temperature=0))
    wait_for_texts(page, sample("rnn", seed=13), cold)
    b_side.get_by_label("temperature").fill("7")
    b_side.get_by_label("temperature").press("Enter")
    assert b_side.get_by_label("temperature").evaluate("input => !input.validity.valid")
    assert part.locator(".cr-written").nth(1).text_content() == PROMPT + cold.text
