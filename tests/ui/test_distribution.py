"""The distribution at the cursor: each stage equals that of sampling.py."""

import re

import numpy as np
import pytest
from playwright.sync_api import Page

from charrnn.checkpoint import Checkpoint
from charrnn.invisible_chars import sign
from charrnn.sampling import Distribution, SamplingSettings, UniformStream, distribution
from tests.ui.page_actions import set_slider, text

STAGES = ("raw", "temperature", "top_k", "top_p", "min_p")
ROWS = 9


def picture(page: Page) -> dict[str, list[list[str]]]:
    """The visible cells of the table by its parts, and the style of its rows."""
    return page.evaluate(
        """() => {
            const rows = (part) => [...document.querySelectorAll(`.cr-pipeline ${part} tr:not([hidden])`)];
            const words = (part) => rows(part).map((row) =>
                [...row.querySelectorAll(":is(th, td[data-stage]):not([hidden])")].map((cell) => cell.textContent));
            return {
                heads: words("thead"), likely: words("tbody"), sums: words("tfoot"),
                struck: rows("tbody").map((row) => getComputedStyle(row.cells[0].firstElementChild).textDecorationLine),
                titles: rows("tbody").map((row) => row.title),
                widths: rows("tbody").map((row) => ["cr-ghost", "cr-tempered", "cr-drawn-from"].map(
                    (bar) => row.querySelector("." + bar).style.width)),
            };
        }"""
    )


def logits_at_cursor(page: Page, checkpoint: Checkpoint) -> np.ndarray:
    """The logits after the cursor, computed by the package."""
    shown = text(page)[: page.evaluate("charrnn.live.cursor") + 1]
    return checkpoint.model.decoder().prefill(checkpoint.vocab.encode(shown)).logits


def stages(logits: np.ndarray, temperature: float, top_k: int, top_p: float, min_p: float) -> list[Distribution]:
    """The distribution after each stage, computed from the logits."""
    filters = [(0, 1.0, 0.0), (top_k, 1.0, 0.0), (top_k, top_p, 0.0), (top_k, top_p, min_p)]
    return [distribution(logits, SamplingSettings(temperature, *some)) for some in filters]


def entropy(probs: np.ndarray) -> float:
    positive = probs[probs > 0]
    return abs(float((positive * np.log2(positive)).sum()))


def percent(p: float) -> str:
    return "<0.1" if 0 < p < 0.0005 else f"{100 * p:.1f}"


def test_every_filter_stage_matches_sampling(page: Page, checkpoint: Checkpoint):
    page.locator(".cr-text").focus()
    for _ in range(100):
        page.keyboard.press("ArrowLeft")
        after = stages(logits_at_cursor(page, checkpoint), 0.7, 9, 0.9, 0.16)
        if (last := after[-1]).kept < after[2].kept < after[1].kept == 9:  # each of the three filters removes something
            break
    else:
        raise AssertionError("the example has no such position")
    page.evaluate("window.asked = 0; fetch = new Proxy(fetch, { apply: (f, t, a) => (asked += 1, f.apply(t, a)) })")
    for name, value in (("temperature", 0.7), ("top_k", 9), ("top_p", 0.9)):
        set_slider(page, name, value)
    page.evaluate("document.querySelector('.cr-more').open = true")
    at_once = page.evaluate(
        """() => {
            const slider = document.querySelector("#cr-min_p");
            slider.value = 0.16;
            const asked = window.asked;
            slider.dispatchEvent(new Event("input"));
            return [document.querySelector('th[data-stage="min_p"] b').textContent, window.asked - asked];
        }"""
    )
    assert at_once == ["0.16", 0]  # redrawn without a request
    shown = picture(page)
    assert [head.rstrip() for head in shown["heads"][0]] == [
        "character",
        "network",
        "temp.0.70",
        "top-k9",
        "top-p0.90",
        "min-p0.16",
    ]
    for rank, (row, struck, title) in enumerate(zip(shown["likely"], shown["struck"], shown["titles"], strict=True)):
        character = checkpoint.vocab.characters[last.order[rank]]
        cells = [percent(last.raw[rank])]
        for stage in after:
            cells.append(percent(stage.probs[rank]) if rank < stage.kept else "" if "cut" in cells else "cut")
        assert row == [sign(character), *cells]
        assert (struck == "line-through") == (rank >= last.kept)
        by = next((name for name, stage in zip(STAGES[1:], after, strict=True) if rank >= stage.kept), None)
        assert title == (f"cut by {by.replace('_', '-')}" if by else "")
    rest, stay, bits = shown["sums"]
    everything = [last.raw, *(stage.probs for stage in after)]
    assert rest == ["56 others", *(percent(abs(probs[ROWS:].sum())) for probs in everything)]
    assert stay == ["still possible", "65", *(str(stage.kept) for stage in after)]
    assert bits == ["uncertainty (entropy), bits", *(f"{entropy(probs):.2f}" for probs in everything)]
    for rank, widths in enumerate(shown["widths"]):
        bars = [last.raw[rank], *([after[0].probs[rank], last.probs[rank]] if rank < last.kept else [0, 0])]
        expected = [100 * bar / last.probs[0] for bar in bars]
        assert [float(re.sub("%|px", "", width)) for width in widths] == pytest.approx(expected, abs=0.01)
    signs = page.locator(".cr-bar-signs span:visible").all_inner_texts()
    wide = [checkpoint.vocab.characters[last.order[rank]] for rank in range(last.kept) if last.probs[rank] >= 0.042]
    assert set(signs) >= {sign(character) for character in wide}


def test_temperature_effect_is_summarized(page: Page, checkpoint: Checkpoint):
    set_slider(page, "top_k", 3)
    logits = logits_at_cursor(page, checkpoint)
    for temperature, words in (
        (0.5, "sharpens: “{likeliest}” goes from {raw} to {tempered}."),
        (1.5, "flattens: “{likeliest}” goes from {raw} to {tempered}."),
        (1, "leaves the network's own percentages: “{likeliest}” stays at {raw}."),
        (0, "always the likeliest, “{likeliest}” ({raw}); the random number is ignored."),
    ):
        set_slider(page, "temperature", temperature)
        expected = distribution(logits, SamplingSettings(temperature))
        raw, tempered = (percent(probs[0]) + "\u00a0%" for probs in (expected.raw, expected.probs))
        likeliest = sign(checkpoint.vocab.characters[expected.order[0]])
        shown = page.locator(".cr-temperature-words").inner_text()
        assert words.format(raw=raw, tempered=tempered, likeliest=likeliest) in shown
    shown = picture(page)
    assert shown["heads"][0][2:] == ["temp.greedy"]  # greedy leaves nothing to filter: those stages have no column
    assert shown["likely"][0][2] == "100.0" and {row[2] for row in shown["likely"][1:]} == {"cut"}


def test_draw_and_surprisal_are_of_the_next_character(page: Page, checkpoint: Checkpoint):
    shown = text(page)
    page.locator(".cr-text").focus()
    for _ in range(5):
        page.keyboard.press("ArrowLeft")
    position = page.evaluate("charrnn.live.cursor")
    u = UniformStream(7)[position + 1 - len("ROMEO:\n")]
    next_sign = sign(shown[position + 1])
    assert page.locator(".cr-u").inner_text() == f"The draw: a random point ({u:.4f}) lands on “{next_sign}”"
    assert page.locator(".cr-needle").evaluate("n => parseFloat(n.style.left)") == pytest.approx(100 * u, abs=1e-3)
    expected = distribution(logits_at_cursor(page, checkpoint), SamplingSettings(0.8))
    (rank,) = np.flatnonzero(expected.order == checkpoint.vocab.encode(shown[position + 1])[0])
    raw, drawn = (-np.log2(probs[rank]) for probs in (expected.raw, expected.probs))
    said = f"“{next_sign}” cost {raw:.2f} bits "
    assert page.locator(".cr-surprisal").inner_text() == said + f"({drawn:.2f} after temperature)"
    assert rank > 0
    set_slider(page, "top_k", int(rank))  # one less than its rank needs
    assert page.locator(".cr-surprisal").inner_text() == said + "(impossible now: cut by top-k)"
    assert page.locator(".cr-next .cr-sign").inner_text() == next_sign


def test_distribution_fits_beside_text_and_on_a_phone(page: Page):
    set_slider(page, "temperature", 0.5)
    tall = page.locator(".cr-distribution").evaluate("e => e.firstElementChild && e.scrollHeight")
    assert tall <= page.locator(".cr-text-panel").evaluate("e => e.offsetHeight")
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    over = page.locator(".cr-pipeline").evaluate("table => table.getBoundingClientRect().right - innerWidth")
    assert over <= 0
