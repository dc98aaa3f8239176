"""The tab Write in a real browser: what is drawn is what the model computed, and the buttons do what they say."""

import re

import numpy as np
import pytest
import torch
from playwright.sync_api import Page, expect

from charrnn.checkpoint import Checkpoint, load
from charrnn.sampling import SamplingSettings
from tests.ui.conftest import CHECKPOINTS
from tests.ui.page_actions import (
    SLOWLY,
    canvas_column,
    columns,
    generated,
    press,
    set_more,
    set_slider,
    set_speed,
    settled,
    shades,
    start_writing,
    text,
    write,
)


@torch.no_grad()
def states(checkpoint: Checkpoint, text: str) -> np.ndarray:
    """The states `forward` goes through, one character at a time: (T, H)."""
    state, rows = None, []
    for id in checkpoint.vocab.encode(text):
        _, state = checkpoint.model(torch.tensor([[id]]), state)
        rows.append(state.h[0].numpy())
    return np.stack(rows)


@pytest.mark.smoke
def test_page_opens_with_an_example(page: Page, checkpoint: Checkpoint):
    shown = text(page)
    assert shown == generated(checkpoint, "ROMEO:\n", len(shown) - 7, 7)
    assert len(shown) > 300
    assert page.locator(".cr-likely tr:visible").count() == 11
    reds, _, blues = np.array(canvas_column(page, len(shown) - 1)).T
    assert (reds > blues).any() and (blues > reds).any()


@pytest.mark.smoke
def test_columns_match_forward_states(page: Page, checkpoint: Checkpoint):
    set_speed(page, 60)
    shown = write(page, seed=3, characters=150, prompt="JULIET:\n")
    assert shown == generated(checkpoint, "JULIET:\n", 150, 3)
    expected = states(checkpoint, shown)
    kept = columns(page)
    assert kept.shape == expected.shape
    np.testing.assert_allclose(kept, expected, rtol=1e-3, atol=1e-5)

    order = page.evaluate("charrnn.live.map.rows")
    assert sorted(order) == list(range(256))
    pixels = canvas_column(page, len(shown) - 3)
    assert np.abs(shades(kept[len(shown) - 3][order]) - pixels).max() <= 2  # one of 127 shades


def test_slider_moved_while_text_runs_applies_from_there(page: Page, checkpoint: Checkpoint):
    set_speed(page, SLOWLY)
    start_writing(page, at_least=12, seed=5, characters=200, prompt="A")
    set_slider(page, "temperature", 0)
    set_speed(page, 0)
    settled(page)
    shown = text(page)
    warm = generated(checkpoint, "A", 200, 5)
    assert len(shown) == 201 and shown != warm
    changed = next(i for i in range(201) if shown[i] != warm[i])
    assert changed >= 10  # what stood there stays
    greedy = generated(checkpoint, shown[: changed + 1], 200 - changed, 5, SamplingSettings(0))
    assert shown[changed + 1 :] == greedy[changed + 1 :]


@pytest.mark.smoke
def test_pause_step_and_resume_keep_the_text(page: Page, checkpoint: Checkpoint):
    set_speed(page, SLOWLY)
    start_writing(page, at_least=12, seed=11, characters=180, prompt="The ")
    press(page, "write")
    settled(page)
    expect(page.locator('[data-action="write"]')).to_contain_text("Resume")
    paused = text(page)
    page.wait_for_timeout(400)
    assert text(page) == paused and len(paused) < 184
    for count in (1, 2, 3):
        press(page, "step")
        page.wait_for_function(f"charrnn.live.drawn === {len(paused) + count}")
    set_speed(page, 0)
    press(page, "write")
    settled(page)
    assert text(page) == generated(checkpoint, "The ", 180, 11)


def test_stop_keeps_the_text_and_clear_empties_it(page: Page):
    set_speed(page, SLOWLY)
    start_writing(page, at_least=12, seed=1, characters=900)
    press(page, "stop")
    settled(page)
    stopped = text(page)
    page.wait_for_timeout(400)
    assert text(page) == stopped
    expect(page.locator('[data-action="write"]')).to_contain_text("Write")
    press(page, "clear")
    page.wait_for_function("charrnn.live.received === 0")
    assert text(page) == ""
    expect(page.locator(".cr-after")).to_have_text("the start")
    press(page, "step")
    page.wait_for_function("charrnn.live.drawn === 8")  # the prompt and one character


def test_click_right_after_write_is_not_lost(page: Page):
    set_more(page, characters=2000)
    clicks = "names => names.forEach(name => document.querySelector(`[data-action=${name}]`).click())"
    for second, state in (("write", "paused"), ("stop", "finished"), ("clear", "empty")):  # Write is Pause by then
        page.evaluate(clicks, ["write", second])
        page.wait_for_timeout(700)
        settled(page)
        assert page.evaluate("charrnn.state") in (state, "finished")  # a write that was taken back began nothing
        assert page.evaluate("charrnn.live.received") < 500


def test_invalid_box_is_reported_and_text_continues(page: Page):
    before = text(page)
    page.evaluate("document.querySelector('.cr-more').open = true")
    for box, value, said in (
        ("seed", "-5", "seed is -5"),
        ("characters", "0", "characters is 0"),
        ("characters", "", 'characters is ""'),
        ("characters", "99999", "characters is 99999"),
    ):
        usual = page.locator(f"#cr-{box}").input_value()
        page.locator(f"#cr-{box}").fill(value)
        press(page, "write")
        expect(page.locator(".cr-notice")).to_contain_text(said)
        page.locator(f"#cr-{box}").fill(usual)
    assert text(page) == before
    expect(page.locator('[data-action="write"]')).to_contain_text("Write")
    set_speed(page, SLOWLY)
    start_writing(page, at_least=12, characters=400)
    page.locator("#cr-seed").fill("1.5")
    set_slider(page, "temperature", 0)
    set_speed(page, 0)
    page.wait_for_function("charrnn.state === 'finished' && charrnn.live.drawn > 400")
    assert len(set(text(page)[-200:-150])) <= 20
    expect(page.locator(".cr-notice")).to_be_hidden()


def test_hover_shows_unit_character_and_value(page: Page):
    page.locator(".cr-canvas").hover()
    said = page.locator(".cr-values").inner_text()
    found = re.fullmatch(r"unit (\d+) at “(.)”: h = ([+−]?[\d.]+), Δh = ([+−]?[\d.]+) · character (\d+) of (\d+)", said)
    assert found, said
    unit, character, value, change, place, _ = found.groups()
    position = int(place) - 1
    kept = columns(page)
    assert text(page)[position] == character.replace("␣", " ").replace("⏎", "\n")
    number = lambda words: float(words.replace("−", "-"))  # noqa: E731
    assert number(value) == pytest.approx(kept[position, int(unit)], abs=0.0051)
    assert number(change) == pytest.approx((kept[position] - kept[position - 1])[int(unit)], abs=0.0051)
    expect(page.locator(".cr-lens")).to_be_visible()
    page.mouse.move(10, 10)
    expect(page.locator(".cr-lens")).to_be_hidden()


def test_click_on_a_unit_colors_the_text(page: Page):
    page.locator(".cr-canvas").click(position={"x": 400, "y": 60})
    unit = int(page.locator(".cr-text-title b").inner_text().removeprefix("unit "))
    kept = columns(page)[:, unit]
    fills = page.locator(".cr-line span").evaluate_all("all => all.map(s => getComputedStyle(s).backgroundColor)")
    assert len(fills) == len(kept)
    channels = [tuple(map(int, re.findall(r"\d+", fill)[:3])) for fill in fills]
    for value, (red, _, blue) in zip(kept, channels, strict=True):
        if abs(value) > 0.3:
            assert (red > blue) == (value > 0)
    page.get_by_role("button", name="Remove the colours").click()
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
    assert (page.locator(".cr-after").text_content() or "").replace("\u00a0", " ").endswith(after)
    page.keyboard.press("ArrowRight")
    assert page.evaluate("charrnn.live.cursor") == last - 2
    page.locator(".cr-canvas").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    unit = page.evaluate("charrnn.live.map.rows[1]")
    assert page.locator(".cr-values").inner_text().startswith(f"unit {unit} at ")
    assert f"unit {unit} at " in (page.locator(".cr-canvas").get_attribute("aria-label") or "")
    page.keyboard.press("Enter")
    assert page.locator(".cr-text-title b").inner_text() == f"unit {unit}"


def test_space_writes_and_pauses_and_right_arrow_steps(page: Page):
    set_speed(page, 30)
    page.locator(".cr-text").focus()
    run = page.evaluate("charrnn.live.record.run")
    page.keyboard.press("Space")
    page.wait_for_function(f"charrnn.live.record.run > {run} && charrnn.live.drawn > 10")
    page.keyboard.press("Space")
    settled(page)
    assert page.evaluate("charrnn.state") == "paused"
    length = len(text(page))
    page.keyboard.press("ArrowRight")
    page.wait_for_function(f"charrnn.live.drawn === {length + 1}")


def test_step_slider_rereads_the_text(page: Page, checkpoint: Checkpoint):
    before, steps = text(page), checkpoint.info.saved_steps
    set_slider(page, "step", 0)
    page.wait_for_function(f"charrnn.live.record.model.step === {steps[0]}")
    assert text(page) == before
    untrained = load(CHECKPOINTS / "rnn", steps[0])
    np.testing.assert_allclose(columns(page), states(untrained, before), rtol=1e-3, atol=1e-5)
    assert f"step {steps[0]}" in page.locator(".cr-source").inner_text()
    press(page, "step")
    page.wait_for_function(f"charrnn.live.drawn === {len(before) + 1}")
    assert text(page).startswith(before)


def test_unknown_characters_are_dropped_with_a_notice(page: Page, checkpoint: Checkpoint):
    set_speed(page, 0)
    shown = write(page, prompt="Caf→é: ", characters=20, seed=4)
    assert shown == generated(checkpoint, "Caf: ", 20, 4)
    said = page.locator(".cr-notice").inner_text()
    assert "'→' at position 3" in said and "'é' at position 4" in said


@pytest.mark.smoke
def test_markup_in_a_prompt_stays_text(page: Page, checkpoint: Checkpoint):
    set_speed(page, 0)
    shown = write(page, prompt="a<b onclick=x>&amp;'\"", characters=5)
    known = checkpoint.vocab.drop_unknown("a<b onclick=x>&amp;'\"")[0]
    assert shown.startswith(known)
    assert page.locator(".cr-line b").count() == 0
