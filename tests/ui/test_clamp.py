"""The clamps of the tab Neurons and its exercises, used by keyboard."""

import re

import numpy as np
import pytest
from playwright.sync_api import BrowserContext, Page, expect

from charrnn.checkpoint import load
from charrnn.clamps import Clamp
from charrnn.probes import line_reset
from charrnn.surprisal import surprisals
from charrnn.ui.server.default_text import SCENE
from tests.ui.conftest import CHECKPOINTS, PHONE, WIDE, open_page, overflow
from tests.ui.page_actions import choose, generated

QUERY = "?model=gru&tab=neurons&seed=7&characters=120&clamp=z:all:0,h:3:0.5"
CUSTOM_TEXT = "JULIET:\nO Romeo, Romeo! wherefore art thou Romeo?\nDeny thy father and refuse thy name.\n"


class Reference:
    """The bundled GRU: its text and its loss with clamps."""

    def __init__(self) -> None:
        self.trained = load(CHECKPOINTS / "gru")
        self.decoder = self.trained.model.decoder()
        self.text = SCENE.read_text(encoding="utf-8")  # the page's default text without a corpus

    def text_under(self, *clamps: Clamp) -> str:
        return generated(self.trained, "ROMEO:\n", 120, 7, decoder=self.decoder, clamps=clamps)

    def bits(self, text: str, *clamps: Clamp) -> float:
        bits = surprisals(self.decoder.clamped(clamps), self.trained.vocab.encode(text))
        return float(np.concatenate([*bits]).mean())


@pytest.fixture(scope="module")
def reference() -> Reference:
    return Reference()


def numbers(words: str) -> list[float]:
    return [float(number.replace("−", "-")) for number in re.findall(r"[+−]?\d+\.\d+", words)]


def expect_clamped(page: Page, reference: Reference, text: str, *clamps: Clamp) -> None:
    """Expect the texts with and without clamps, their divergence, and both losses."""
    part, title = page.locator("#cr-clamp"), ", ".join(map(str, clamps))
    expect(part.locator(".cr-writer h3").last).to_have_text(f"B · frozen: {title}")
    free, clamped = reference.text_under(), reference.text_under(*clamps)
    expect(part.locator(".cr-written").first).to_have_text(re.compile(re.escape(free[:20])))
    assert part.locator(".cr-written").all_text_contents() == [free, clamped]
    at = next(i for i, (a, b) in enumerate(zip(free, clamped, strict=True)) if a != b)
    assert part.locator(".cr-written mark").all_text_contents() == [free[at], clamped[at]]
    assert [len(common) for common in part.locator(".cr-common").all_text_contents()] == [at - len("ROMEO:\n")] * 2
    expect(part.locator(".cr-cost")).to_contain_text("bits per character")  # never that of the former clamps
    cost = part.locator(".cr-cost").inner_text()
    delta, *found = numbers(cost)
    before, after = found[-2:]
    expected = reference.bits(text), reference.bits(text, *clamps)
    assert (before, after) == pytest.approx(expected, abs=2e-3) and delta == pytest.approx(after - before, abs=2e-3)


def test_clamps_and_exercises_work_by_keyboard(context: BrowserContext, app: str, reference: Reference):
    page = open_page(context, app + QUERY)
    part, shut = page.locator("#cr-clamp"), Clamp("z", None, 0.0)
    expect_clamped(page, reference, reference.text, shut, Clamp("h", 3, 0.5))
    part.get_by_role("button", name="Release").last.click()
    expect_clamped(page, reference, reference.text, shut)
    expect(part.get_by_role("button", name="Release")).to_be_hidden()

    slider = part.get_by_label("value, as a slider")
    slider.focus()
    page.keyboard.press("End")
    expect_clamped(page, reference, reference.text, Clamp("z", None, 1.0))
    part.get_by_text("Measure the cost on another text").click()
    part.get_by_label("your own text").fill(CUSTOM_TEXT)
    part.get_by_role("button", name="Use this text").click()
    over = f"over {len(CUSTOM_TEXT)} characters of the text you typed or pasted"
    expect(part.locator(".cr-cost")).to_contain_text(over)
    expect_clamped(page, reference, CUSTOM_TEXT, Clamp("z", None, 1.0))
    part.get_by_text("The random number and both").click()
    expect(part.locator(".cr-u-label")).to_contain_text("u = ")

    exercises = page.locator("#cr-exercises")
    forget = exercises.locator('[data-id="forget"]')
    expect(forget.locator(".cr-frozen-now")).to_have_text("frozen above: z of every unit = 1")
    forget.get_by_role("button", name="Check").press("Enter")
    expect(forget.locator(".cr-verdict")).to_contain_text("✗ Now it ignores its input altogether")
    slider.focus()
    page.keyboard.press("Home")
    expect(part.locator(".cr-writer h3").last).to_have_text("B · frozen: z of every unit = 0")
    part.get_by_role("button", name="Freeze another").click()
    expect(part.locator(".cr-clamp")).to_have_count(2)
    part.get_by_role("combobox", name="what").last.select_option("r")
    expect(part.locator(".cr-writer h3").last).to_contain_text("r of every unit")
    part.get_by_label("fixed at").last.fill("0")
    part.get_by_label("fixed at").last.press("Tab")
    expect(forget.locator(".cr-frozen-now")).to_have_text("frozen above: z of every unit = 0, r of every unit = 0")
    status, value = part.locator(".cr-clamp-status").last, part.get_by_label("fixed at").last
    value.fill("7")
    value.press("Tab")
    expect(status).to_have_text("Give a number from 0 to 1.")
    expect(value).to_have_value("0")  # the one in force
    part.get_by_role("combobox", name="what").last.select_option("z")
    expect(status).to_have_text("z of every unit is frozen in another row.")
    expect(part.get_by_role("combobox", name="what").last).to_have_value("r")
    forget.get_by_role("button", name="Check").press("Enter")
    expect(forget.locator(".cr-verdict")).to_contain_text("✓ Right: as it is, it uses")
    expect(forget.locator("td").filter(has_text=reference.trained.info.sha256[:12])).to_be_visible()

    reset = exercises.locator('[data-id="reset"]')
    h = reference.decoder.read(reference.trained.vocab.encode(reference.text)).activations["h"]
    found = [line_reset(reference.text, h[:, unit]) for unit in range(h.shape[1])]
    best = max(range(len(found)), key=lambda unit: found[unit].carried - found[unit].remaining_share)
    for unit in (best, int(np.argmax([each.remaining_share for each in found]))):
        reset.get_by_label("unit").fill(str(unit))
        reset.get_by_label("unit").press("Enter")
        expect(reset.locator("td").first).to_have_text(f"h {unit}")
        right = found[unit].remaining_share <= 0.25 and found[unit].carried >= 0.5
        assert (reset.locator(".cr-verdict").inner_text()[0] == "✓") == right == (unit == best)

    guess = exercises.locator('[data-id="half-life"]')
    guess.get_by_label("characters").fill("100")
    guess.get_by_label("characters").press("Enter")
    expect(guess.locator(".cr-verdict")).to_contain_text("✗ The answer is ")
    expect(guess.locator(".cr-verdict")).to_contain_text("times too large")
    expect(guess.get_by_role("button", name="Reveal")).to_be_disabled()  # for this network
    choose(page, "rnn")
    expect(guess.get_by_role("button", name="Reveal")).to_be_enabled()
    forget.get_by_role("button", name="Check").click()
    forget.get_by_role("button", name="Switch to GRU").click()
    expect(exercises.locator(".cr-of")).to_have_text("GRU")
    expect(guess.get_by_role("button", name="Reveal")).to_be_disabled()

    assert overflow(page) <= 0
    page.set_viewport_size(PHONE)  # two clamps, and an exercise that is open
    assert overflow(page) <= 0
    page.set_viewport_size(WIDE)
    page.evaluate("window.print = () => (window.printed = true)")
    exercises.get_by_label("your name").fill("Ada")
    exercises.get_by_role("button", name="Print").click()
    assert page.evaluate("window.printed")
    page.emulate_media(media="print")
    for hidden in (".cr-aside", ".cr-header", "#cr-clamp", '[data-id="forget"]'):
        expect(page.locator(hidden).first).to_be_hidden()
    expect(reset.locator(".cr-found table")).to_be_visible()
    expect(reset.get_by_label("unit")).to_be_hidden()  # the form of now; the table names the unit of the verdict
    expect(exercises.get_by_label("your name")).to_have_value("Ada")
