"""The tab Write: states in the heatmap, buttons and keys."""

import re

import numpy as np
import pytest
import torch
from playwright.sync_api import Page, expect

from charrnn.checkpoint import Checkpoint, load
from scripts.dev.visit_tabs import open_tab
from tests.ui.conftest import CHECKPOINTS
from tests.ui.page_actions import (
    SLOW,
    canvas_column,
    columns,
    generated,
    press,
    set_more,
    set_slider,
    set_speed,
    shades,
    start_writing,
    text,
    wait_until_idle,
    write,
)


@torch.no_grad()
def states(checkpoint: Checkpoint, text: str) -> np.ndarray:
    """The hidden states of `forward`, one character at a time: (T, H)."""
    state, rows = None, []
    for id in checkpoint.vocab.encode(text):
        _, state = checkpoint.model(torch.tensor([[id]]), state)
        rows.append(state.h[0].numpy())
    return np.stack(rows)


@pytest.mark.smoke
def test_link_opens_with_a_text(page: Page, checkpoint: Checkpoint):
    shown = text(page)
    assert shown == generated(checkpoint, "ROMEO:\n", len(shown) - 7, 7)
    assert len(shown) > 300
    assert page.locator(".cr-likely tr:visible").count() == 9
    reds, _, blues = np.array(canvas_column(page, len(shown) - 1)).T
    assert (reds > blues).any() and (blues > reds).any()


@pytest.mark.smoke
def test_columns_match_forward_states(page: Page, checkpoint: Checkpoint):
    set_speed(page, 60)
    shown = write(page, seed=3, characters=150, prompt="JULIET:\n")
    assert shown == generated(checkpoint, "JULIET:\n", 150, 3)
    expected = states(checkpoint, shown)
    values = columns(page)
    assert values.shape == expected.shape
    np.testing.assert_allclose(values, expected, rtol=1e-3, atol=1e-5)

    order = page.evaluate("charrnn.live.map.rows")
    assert sorted(order) == list(range(256))
    pixels = canvas_column(page, len(shown) - 3)
    assert np.abs(shades(values[len(shown) - 3][order]) - pixels).max() <= 2  # one of 127 shades


@pytest.mark.smoke
def test_pause_step_and_resume_keep_the_text(page: Page, checkpoint: Checkpoint):
    set_speed(page, SLOW)
    start_writing(page, at_least=12, seed=11, characters=180, prompt="The ")
    press(page, "write")
    wait_until_idle(page)
    expect(page.locator('[data-action="write"]')).to_contain_text("Continue")
    paused = text(page)
    page.wait_for_timeout(400)
    assert text(page) == paused and len(paused) < 184
    for count in (1, 2, 3):
        press(page, "step")
        page.wait_for_function(f"charrnn.live.drawn === {len(paused) + count}")
    set_speed(page, 0)
    press(page, "write")
    wait_until_idle(page)
    assert text(page) == generated(checkpoint, "The ", 180, 11)


def test_stop_keeps_the_text_and_clear_empties_it(page: Page):
    set_speed(page, SLOW)
    start_writing(page, at_least=12, seed=1, characters=900)
    press(page, "stop")
    wait_until_idle(page)
    stopped = text(page)
    page.wait_for_timeout(400)
    assert text(page) == stopped
    expect(page.locator('[data-action="write"]')).to_contain_text("Write again")
    press(page, "clear")
    page.wait_for_function("charrnn.live.received === 0")
    assert text(page) == ""
    expect(page.locator(".cr-pipeline")).to_be_hidden()  # no distribution: the next character follows the prompt
    expect(page.locator(".cr-distribution")).to_contain_text("The page is empty")
    press(page, "step")
    page.wait_for_function("charrnn.live.drawn === 8")  # the prompt and one character
    expect(page.locator(".cr-pipeline")).to_be_visible()


def test_invalid_box_is_reported_and_text_continues(page: Page):
    before = text(page)
    page.evaluate("document.querySelector('.cr-more').open = true")
    for box, value, reason in (
        ("seed", "-5", "The seed must be a whole number from 0 to"),
        ("characters", "0", "The length must be a whole number from 1 to 3,000."),
        ("characters", "", "The length must be a whole number from 1 to 3,000."),
        ("characters", "99999", "The length must be a whole number from 1 to 3,000."),
    ):
        default = page.locator(f"#cr-{box}").input_value()
        page.locator(f"#cr-{box}").fill(value)
        press(page, "write")
        expect(page.locator(".cr-notice")).to_contain_text(reason)
        page.locator(f"#cr-{box}").fill(default)
    assert text(page) == before
    expect(page.locator('[data-action="write"]')).to_contain_text("Write")
    set_speed(page, SLOW)
    start_writing(page, at_least=12, characters=400)
    page.locator("#cr-seed").fill("1.5")
    set_slider(page, "temperature", 0)
    set_speed(page, 0)
    page.wait_for_function("charrnn.state === 'finished' && charrnn.live.drawn > 400")
    assert len(set(text(page)[-200:-150])) <= 20
    expect(page.locator(".cr-notice")).to_be_hidden()


def test_buttons_and_notices_are_seen_from_every_tab(page: Page):
    notice = page.locator(".cr-notice")
    set_speed(page, SLOW)
    set_more(page, seed=-5)
    open_tab(page, "Compare")
    expect(page.locator("#cr-temperature")).to_be_hidden()  # nothing is sampled there with it
    expect(page.locator("#cr-step")).to_be_in_viewport()
    top = page.locator("#cr-results h2").evaluate("e => e.getBoundingClientRect().top")
    press(page, "write")
    expect(page.get_by_role("tab", name="Write")).to_have_attribute("aria-selected", "true")
    expect(notice).to_contain_text("The seed must be a whole number")
    open_tab(page, "Compare")
    expect(notice).to_be_in_viewport()
    assert page.locator("#cr-results h2").evaluate("e => e.getBoundingClientRect().top") == top  # nothing has moved
    page.get_by_role("tab", name="Write").click()
    set_more(page, seed=3, characters=300)
    page.get_by_role("tab", name="Compare").click()
    press(page, "write")
    expect(page.get_by_role("tab", name="Write")).to_have_attribute("aria-selected", "true")
    expect(notice).to_be_hidden()
    page.wait_for_function("charrnn.state === 'writing' && charrnn.live.drawn > 10")
    page.get_by_role("tab", name="Compare").click()
    press(page, "write")
    page.wait_for_function("charrnn.state === 'paused'")
    expect(page.get_by_role("tab", name="Compare")).to_have_attribute("aria-selected", "true")
    page.get_by_role("tab", name="Write").click()
    page.locator(".cr-line span").first.click()
    page.locator(".cr-line span").first.hover()
    page.locator(".cr-likely tr").nth(3).click()
    expect(notice).to_contain_text("belongs to the prompt")
    press(page, "step")
    expect(notice).to_be_hidden()


def test_hover_shows_unit_character_and_value(page: Page):
    page.locator(".cr-canvas").hover()
    words = page.locator(".cr-values").inner_text()
    pattern = (
        r"Unit (\d+) (?:\(.+\) )?after “(.)”: ([+−]?[\d.]+) \(changed by ([+−]?[\d.]+)\) · character (\d+) of (\d+)"
    )
    found = re.fullmatch(pattern, words)
    assert found, words
    unit, character, value, change, place, _ = found.groups()
    position = int(place) - 1
    values = columns(page)[:, int(unit)]
    assert text(page)[position] == character.replace("␣", " ").replace("⏎", "\n")
    shown = [float(number.replace("−", "-")) for number in (value, change)]
    assert shown == pytest.approx([values[position], values[position] - values[position - 1]], abs=0.0051)
    expect(page.locator(".cr-lens")).to_be_visible()
    page.mouse.move(10, 10)
    expect(page.locator(".cr-lens")).to_be_hidden()


def test_click_on_a_unit_colors_the_text(page: Page):
    page.locator(".cr-canvas").click(position={"x": 400, "y": 60})
    unit = int(page.locator(".cr-color-key b").inner_text().removeprefix("unit "))
    values = columns(page)[:, unit]
    fills = page.locator(".cr-line span").evaluate_all("all => all.map(s => getComputedStyle(s).backgroundColor)")
    assert len(fills) == len(values)
    channels = [tuple(map(int, re.findall(r"\d+", fill)[:3])) for fill in fills]
    for value, (red, _, blue) in zip(values, channels, strict=True):
        if abs(value) > 0.3:
            assert (red > blue) == (value > 0)
    page.get_by_role("button", name="none", exact=True).click()
    assert page.locator(".cr-line span").first.evaluate("s => s.style.background") == ""


def test_ink_on_colored_characters_has_contrast(page: Page):
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        page.goto(page.url.split("?")[0] + f"?__theme={scheme}")
        page.wait_for_function("window.charrnn && charrnn.live && charrnn.live.drawn > 0")
        page.locator(".cr-canvas").click(position={"x": 400, "y": 60})
        worst = page.evaluate(
            """() => {
                const light = (css) => {
                    const c = css.match(/[\\d.]+/g).slice(0, 3).map((v) => v / 255);
                    const l = c.map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
                    return 0.2126 * l[0] + 0.7152 * l[1] + 0.0722 * l[2];
                };
                return Math.min(...[...document.querySelectorAll(".cr-line span")].map((span) => {
                    const style = getComputedStyle(span);
                    const [a, b] = [light(style.color), light(style.backgroundColor)];
                    return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
                }));
            }"""
        )
        assert worst >= 4.5


def test_arrow_keys_move_the_shared_cursor(page: Page):
    last = len(text(page)) - 1
    page.locator(".cr-text").focus()
    for _ in range(3):
        page.keyboard.press("ArrowLeft")
    assert page.evaluate("charrnn.live.cursor") == last - 3
    assert page.evaluate("document.querySelector('.cr-cursor').position") == last - 3
    after = text(page)[: last - 2][-4:].replace("\n", "⏎")
    assert (page.locator(".cr-after").text_content() or "").replace("\u00a0", " ").endswith(after + "”")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("charrnn.live.cursor") == last - 2
    page.locator(".cr-canvas").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    unit = page.evaluate("charrnn.live.map.rows[1]")
    assert page.locator(".cr-values").inner_text().startswith(f"Unit {unit} ")
    assert f"Unit {unit} " in (page.locator(".cr-canvas").get_attribute("aria-label") or "")
    page.keyboard.press("Enter")
    assert page.locator(".cr-color-key b").inner_text() == f"unit {unit}"


def test_space_writes_and_pauses_and_right_arrow_steps(page: Page):
    set_speed(page, 30)
    page.locator(".cr-text").focus()
    run = page.evaluate("charrnn.live.record.run")
    for _ in range(4):
        page.keyboard.down("Space")  # the second and later ones are repeats
    page.keyboard.up("Space")
    page.wait_for_function(f"charrnn.live.record.run > {run} && charrnn.live.drawn > 10")
    assert page.evaluate("charrnn.state") == "writing"
    page.keyboard.press("Space")
    wait_until_idle(page)
    assert page.evaluate("charrnn.state") == "paused"
    length = len(text(page))
    page.keyboard.press("ArrowRight")
    page.wait_for_function(f"charrnn.live.drawn === {length + 1}")


def test_step_slider_rereads_the_text(page: Page, checkpoint: Checkpoint):
    before, steps = text(page), checkpoint.info.saved_steps
    page.locator("#cr-again").uncheck()
    set_slider(page, "step", 0)
    page.wait_for_function(f"charrnn.live.record.model.step === {steps[0]}")
    assert text(page) == before
    untrained = load(CHECKPOINTS / "rnn", steps[0])
    np.testing.assert_allclose(columns(page), states(untrained, before), rtol=1e-3, atol=1e-5)
    expect(page.locator(".cr-source")).to_contain_text(f"step {steps[0]} ")
    title = page.locator(".cr-text-title")
    expect(title).to_have_text("Written by Vanilla RNN, step 2,000; now read by Vanilla RNN, step 0")
    press(page, "step")
    page.wait_for_function(f"charrnn.live.drawn === {len(before) + 1}")
    expect(title).to_have_text("Written by Vanilla RNN, step 2,000, then Vanilla RNN, step 0")
    assert text(page).startswith(before)
