"""Texts that are read: shown with activations and surprisals, continued, measured."""

import math
import re

import numpy as np
from playwright.sync_api import BrowserContext, Page, expect

from charrnn.checkpoint import Checkpoint
from tests.ui.conftest import open_page
from tests.ui.page_actions import columns, generated, set_speed, shades, text, wait_until_idle
from tests.ui.test_branching import probabilities, put_cursor
from tests.ui.test_write_tab import states

PASSAGE = "To be, or not to be: that is the question:\nWhether 'tis nobler"


def read(page: Page, passage: str) -> None:
    page.evaluate("document.querySelector('.cr-reading').open = true")
    page.locator("#cr-passage").fill(passage)
    page.locator('[data-action="read"]').click()


def test_read_text_is_shown_and_continued(page: Page, checkpoint: Checkpoint):
    before = text(page)
    read(page, "é" + PASSAGE)
    page.wait_for_function("passage => charrnn.live.text === passage", arg=PASSAGE)
    expect(page.locator(".cr-notice")).to_contain_text("Skipped 1 character the network does not know: “é”")
    assert text(page) == PASSAGE and page.locator(".cr-given").count() == len(PASSAGE)
    np.testing.assert_allclose(columns(page), states(checkpoint, PASSAGE), rtol=1e-3, atol=1e-5)
    probs = probabilities(checkpoint, PASSAGE)
    bits = -probs[range(len(PASSAGE)), checkpoint.vocab.encode(PASSAGE)].log2().numpy()
    # the default of a text that is read
    assert page.locator(".cr-coloring [aria-pressed=true]").inner_text() == "surprise"
    fills = page.locator(".cr-line span").evaluate_all("all => all.map(s => getComputedStyle(s).backgroundColor)")
    colors = np.array([re.findall(r"\d+", fill)[:3] for fill in fills], float)
    assert np.abs(shades(0.78 * np.minimum(bits / 8, 1)) - colors).max() <= 2  # one of 127 shades
    underlined = page.evaluate("[...document.querySelectorAll('.cr-surprising')].map(span => span.position)")
    assert underlined == [*np.flatnonzero(bits >= 6)] != []
    page.get_by_text("The five most surprising letters").click()
    listed = page.locator(".cr-most-surprising button")
    for place, position in enumerate(np.argsort(-bits)[:5]):
        expect(listed.nth(place)).to_contain_text(f": {bits[position]:.2f} bits")
        listed.nth(place).click()
        assert page.evaluate("charrnn.live.cursor") == position
    for position in (5, len(PASSAGE) - 1):
        put_cursor(page, position)
        surprisal = -math.log2(float(probs[position, checkpoint.vocab.encode(PASSAGE[position])[0]]))
        assert f"cost {surprisal:.2f} bits" in page.locator(".cr-surprise").inner_text()
    put_cursor(page, 5)
    assert page.locator(".cr-u").inner_text() == "No draw: part of the text you gave"
    set_speed(page, 0)
    expect(page.locator('[data-action="write"]')).to_contain_text("Continue")
    page.locator('[data-action="write"]').click()
    page.wait_for_function(f"charrnn.live.drawn > {len(PASSAGE)}")
    wait_until_idle(page)
    assert text(page) == generated(checkpoint, PASSAGE, 400, 7)
    expect(page.locator(".cr-text-title")).to_have_text("Text you gave, continued by Vanilla RNN, step 2,000")
    page.locator('[data-do="undo"]').click()
    page.wait_for_function("before => charrnn.live.text === before", arg=before)


def test_gradients_are_measured_on_the_read_text(context: BrowserContext, trained_app: str):
    page, passage = open_page(context, trained_app), "Good night, good night! Parting is such sweet sorrow. " * 4
    read(page, passage)
    page.wait_for_function("passage => charrnn.live.text === passage", arg=passage)
    page.get_by_role("tab", name="Gradients").click()
    page.get_by_text("Use your own text").click()
    page.get_by_role("button", name="Use the text that is read on Write").click()
    assert page.locator("#cr-own-text").input_value() == passage
    expect(page.locator("#cr-flow .cr-plot-words")).to_contain_text("the text you typed or pasted")
