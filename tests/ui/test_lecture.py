"""Lectures: scenes, keys, hidden controls, colors and sizes."""

import json
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import BrowserContext, Page, Route, ViewportSize, expect

from charrnn.ui.lecture.answer import Answer
from charrnn.ui.lecture.scenes import SCENES
from charrnn.ui.server.checkpoint_store import Store
from charrnn.ui.server.share_link import ShareLink
from scripts.dev.visit_tabs import rest
from tests.ui.conftest import open_page
from tests.ui.page_actions import set_more

SIZES = (ViewportSize(width=1280, height=720), ViewportSize(width=1024, height=768))
# The buttons and all of the picture are in sight, and nothing else of the page is.
FITS = """() => {
    const find = (selector) => [...document.querySelectorAll(selector)];
    const isInside = (element) => {
        const { top, bottom, height } = element.getBoundingClientRect();
        return height > 0 && top >= 0 && bottom <= innerHeight + 1;
    };
    const isShown = (element) => element.checkVisibility({ visibilityProperty: true });
    const isOnStage = ({ dataset }) => dataset.onStage === "around";
    const isPart = (element) => element.closest("[data-on-stage=picture]") || isOnStage(element);
    const pictures = find("[data-on-stage=picture]:not(.cr-scene)");
    const content = find(".cr-scene :is(.cr-scene-texts, .cr-scene-bars, .cr-choices, .cr-scenes)").filter(isShown);
    return find(".cr-main *").filter(isShown).every(isPart) && [...pictures, ...content].length > 0
        && [...find(".cr-scene-back, .cr-scene-on"), ...content].every(isInside)
        && pictures.every((picture) => isShown(picture) && isInside(picture));
}"""


@pytest.fixture(autouse=True)
def same_corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers are computed without a corpus, as by the apps."""
    monkeypatch.setenv("CHARRNN_CACHE", str(tmp_path))


def luminance(page: Page, color: str) -> float:
    """Relative luminance of a custom property of the page, WCAG 2."""
    value = page.evaluate(f"getComputedStyle(document.body).getPropertyValue('--cr-{color}').trim()")
    parts = np.array([int(value[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def contrast(page: Page, ink: str, paper: str = "paper") -> float:
    light, dark = sorted((luminance(page, ink), luminance(page, paper)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def expect_question(page: Page, number: int, link: ShareLink) -> None:
    """Expect the question of a scene and the page as its link sets it."""
    scene = SCENES[number - 1]
    expect(page.locator(".cr-scene h2")).to_have_text(scene.question)
    expect(page.locator(".cr-scene-place")).to_contain_text(f"Scene {number} of {len(SCENES)}")
    expect(page.locator(".cr-guess")).to_have_text(scene.guess)
    page.wait_for_function("(model) => charrnn.checkpoint.name === model", arg=link.query.model)
    settings = page.evaluate("charrnn.settings")
    assert {name: settings[name] for name in ("temperature", "top_k", "top_p", "min_p", "speed")} == {
        name: value for name, value in link.to_json().items() if name in settings
    }
    assert page.locator("#cr-seed").input_value() == str(link.query.seed)
    assert page.locator("#cr-characters").input_value() == str(link.query.characters)
    expect(page.locator(".cr-answer")).to_be_hidden()
    expect(page.locator(".cr-scene-details")).to_be_hidden()
    assert f"scene={number}" in page.url
    if link.query.tick:
        page.wait_for_function(f"charrnn.selectedModels.join() === '{','.join(link.query.tick)}'")


def expect_answer(page: Page, answer: Answer) -> None:
    """Expect an answer, and the page as it sets it."""
    expect(page.locator(".cr-answer")).to_have_text(answer.sentence)
    expect(page.locator(".cr-answer strong")).to_have_text(answer.number)
    if "unit" in answer.shown:
        expect(page.locator(".cr-color-key b")).to_have_text(f"unit {answer.shown['unit']}")
        assert page.evaluate("charrnn.live.cursor") == answer.shown["position"]
    if "tick" in answer.shown:
        page.wait_for_function(f"charrnn.selectedModels.join() === '{','.join(answer.shown['tick'])}'")
    figures = page.locator(".cr-scene-texts figure")
    expect(figures).to_have_count(len(answer.texts))
    for i, (title, written, divergence) in enumerate(answer.texts):
        assert figures.nth(i).locator("figcaption").text_content() == title
        assert figures.nth(i).locator("div").text_content() == written
        assert figures.nth(i).locator("b").text_content() == written[divergence:]
    expect(page.locator(".cr-scene-bars tbody tr")).to_have_count(len(answer.bars))
    if "lines" in answer.shown:
        expect_lines(page, answer.shown["lines"])


def expect_lines(page: Page, names: list[str]) -> None:
    """Expect a figure with these lines alone."""
    shown = "document.querySelector('.cr-plot[data-on-stage]')?.data?.map(({ name }) => name).sort().join()"
    page.wait_for_function(f"(names) => {shown} === names", arg=",".join(sorted(names)))


def expect_variation(page: Page, answer: Answer) -> None:
    """Expect the buttons of a variation, with the first one in force."""
    buttons = page.locator(".cr-scene-ways button")
    expect(buttons).to_have_text([way["title"] for way in answer.ways])
    if not answer.ways:
        return
    expect(buttons.first).to_have_attribute("aria-pressed", "true")
    way = answer.ways[0]
    if "lines" in way:
        expect_lines(page, way["lines"])
    if "temperature" in way:
        page.wait_for_function(f"charrnn.settings.temperature === {way['temperature']}")
        assert page.evaluate("charrnn.live.cursor") == way["position"]
    if "knob" in way:
        page.wait_for_function(f"charrnn.recurrentScale === {way['knob']}")
    if "clamp" in way:
        expected = [{"name": name, "unit": unit, "value": value} for name, unit, value in way["clamp"]]
        page.wait_for_function("(clamps) => JSON.stringify(charrnn.appliedClamps) === clamps", arg=compact(expected))


def compact(value: object) -> str:
    """JSON as in JavaScript."""
    return json.dumps(value, separators=(",", ":"))


def expect_fits(page: Page) -> None:
    for size in SIZES:
        page.set_viewport_size(size)
        page.wait_for_function(FITS)


def test_scenes_fit_the_stage_beat_by_beat(context: BrowserContext, app: str, store: Store):
    page = open_page(context, app + "?lecture=1", SIZES[-1])
    expect(page.locator(".cr-scenes button")).to_have_text([scene.question for scene in SCENES])
    expect(page.locator(".cr-scene h2")).to_contain_text("9 scenes, about 20 minutes")
    expect_fits(page)
    for number, scene in enumerate(SCENES, 1):
        page.keyboard.press("PageDown")
        link = scene.link(store)
        expect_question(page, number, link)
        expect_fits(page)
        answer = scene.measured_answer(store)
        assert answer.sentence not in page.content()
        if "unit" in answer.shown:  # a new text releases the cursor
            page.wait_for_function(
                "([sha256, n]) => charrnn.live.record.model.sha256 === sha256 && charrnn.state === 'finished'"
                "&& charrnn.live.drawn > n && charrnn.live.drawn === charrnn.live.received",
                arg=[link.loaded.info.sha256, link.query.characters],
            )
        page.keyboard.press("PageDown")
        expect_answer(page, answer)
        expect_fits(page)
        page.keyboard.press("PageDown")
        expect(page.locator(".cr-answer")).to_contain_text(scene.variation)
        expect_variation(page, answer)
        expect_fits(page)
    expect(page.locator(".cr-delta .cr-passage span").first).to_be_visible()  # measured without its figure
    page.keyboard.press("PageDown")
    expect(page.locator(".cr-scene h2")).to_have_text("What was measured")
    for item, scene in zip(page.locator(".cr-scenes li").all(), SCENES, strict=True):
        expect(item).to_have_text(f"{scene.question} {scene.measured_answer(store).sentence}")
    expect(page.locator(".cr-scene-links a").last).to_have_attribute("href", "/?tab=lab")
    expect(page.locator(".cr-scene-on")).to_be_disabled()
    expect_fits(page)
    page.keyboard.press("PageUp")
    expect(page.locator(".cr-answer")).to_contain_text(SCENES[-1].variation)
    page.keyboard.press("PageUp")
    expect_answer(page, answer)
    page.keyboard.press("PageUp")
    expect_question(page, len(SCENES), link)
    page.keyboard.press("PageUp")
    expect(page.locator(".cr-scene h2")).to_have_text(SCENES[-2].question)
    expect(page.locator(".cr-answer")).to_contain_text(SCENES[-2].variation)
    page.reload()
    expect(page.locator(".cr-answer")).to_contain_text(SCENES[-2].variation)
    page.locator("#cr-clamp [type=range]").first.focus()
    page.keyboard.press("PageUp")
    expect_answer(page, SCENES[-2].measured_answer(store))


def test_reload_keeps_the_scene_and_a_tab_key_leaves_it(context: BrowserContext, trained_app: str):
    page = open_page(context, trained_app + "?lecture=1")
    page.locator(".cr-scenes button").nth(3).click()
    place = page.locator(".cr-scene-place")
    expect(place).to_contain_text("Scene 4")
    page.reload()
    expect(place).to_contain_text("Scene 4")
    expect(page.get_by_role("heading", name="Char-RNN Lab")).to_be_hidden()
    page.keyboard.press("5")
    expect(page.get_by_role("heading", name="Char-RNN Lab")).to_be_visible()
    expect(page.get_by_role("tab", name="Under the hood")).to_have_attribute("aria-selected", "true")
    page.get_by_role("button", name="Back to lecture").click()
    expect(page.get_by_role("heading", name="Char-RNN Lab")).to_be_hidden()
    expect(page.locator("#cr-flow .cr-plot")).to_be_visible()
    page.get_by_role("button", name="All scenes").click()
    expect(page.locator(".cr-scenes button")).to_have_count(len(SCENES))
    assert "scene" not in page.url


def test_late_answer_leaves_the_lab_in_place(context: BrowserContext, trained_app: str):
    page = open_page(context, trained_app + "?lecture=1&scene=4")
    expect(page.locator(".cr-guess")).to_have_text(SCENES[3].guess)
    held: list[Route] = []

    def hold(route: Route) -> None:
        """Keep the request of an answer back."""
        held.append(route) if '"scene"' in (route.request.post_data or "") else route.continue_()

    page.route("**/queue/join*", hold)
    page.keyboard.press("r")
    expect(page.locator(".cr-answer")).to_have_text("Measuring …")
    page.keyboard.press("5")
    hood = page.get_by_role("tab", name="Under the hood")
    expect(hood).to_have_attribute("aria-selected", "true")
    page.wait_for_function("scrollTo(0, 200) || scrollY === 200")
    while not held:
        page.wait_for_timeout(50)
    held[0].continue_()
    expect(page.locator(".cr-answer strong")).to_be_visible()
    assert page.evaluate("scrollY") > 0  # it follows the height of the panel above
    expect(hood).to_have_attribute("aria-selected", "true")


def test_answer_before_its_text_still_sets_the_cursor(context: BrowserContext, app: str, store: Store):
    page = open_page(context, app + "?lecture=1&scene=1")
    page.evaluate(
        """async (module) => {
            const { session } = await import(module);
            const proceed = session.provider.continue.bind(session.provider);
            const gate = new Promise((resolve) => (window.release = resolve));
            session.provider.continue = (...given) => gate.then(() => proceed(...given));
        }""",
        f"{app}charrnn/session/page_session.js",
    )
    page.keyboard.press("r")
    expect(page.locator(".cr-answer strong")).to_be_visible()
    for _ in range(2):
        page.keyboard.press("PageDown")
    expect(page.locator(".cr-scene h2")).to_have_text(SCENES[1].question)
    answer = SCENES[1].measured_answer(store)
    page.keyboard.press("r")
    expect(page.locator(".cr-answer")).to_have_text(answer.sentence)
    page.evaluate("release()")
    expect(page.locator(".cr-color-key b")).to_have_text(f"unit {answer.shown['unit']}")
    assert page.evaluate("charrnn.live.cursor") == answer.shown["position"]


@pytest.mark.smoke
def test_lecture_is_large_light_and_high_contrast(context: BrowserContext, app: str):
    small = open_page(context, app).locator(".cr-line span").first.bounding_box()
    page = open_page(context, app + "?lecture=1&tab=write", scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert not page.evaluate("document.body.classList.contains('dark')")
    for ink, least in (
        ("ink", 15),
        ("quiet", 7),
        ("words", 7),
        ("accent", 7),
        ("edge", 3),
        ("minus", 7),
        ("plus", 4.5),
    ):
        assert contrast(page, ink) >= least, ink
    assert contrast(page, "on-accent", "accent") >= 7 and contrast(page, "minus", "plus") >= 1.3
    large = page.locator(".cr-line span").first.bounding_box()
    assert small and large and large["width"] / small["width"] == pytest.approx(1.25, rel=0.05)
    for tab in ("Write", "Gradients", "Neurons", "Compare", "Under the hood"):
        expect(page.get_by_role("tab", name=tab)).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 1440

    page.locator(".cr-values").scroll_into_view_if_needed()
    box = page.locator(".cr-canvas").bounding_box()  # the words are of the cell below the pointer
    assert box
    rows, last = page.evaluate("[charrnn.live.map.rows.length, charrnn.live.drawn]")
    bottom = box["y"] + box["height"] * page.evaluate(
        "charrnn.live.map.rowHeight * charrnn.live.map.rows.length / charrnn.live.map.canvas.height"
    )
    page.mouse.move(box["x"] + box["width"] - 3, bottom - (bottom - box["y"]) / rows / 2)
    lowest = page.evaluate("charrnn.live.map.rows.at(-1)")
    expect(page.locator(".cr-values")).to_contain_text(f"Unit {lowest} ")
    assert page.evaluate("charrnn.live.cursor") == last - 1


def test_lecture_figures_have_lecture_colors(context: BrowserContext, trained_app: str):
    page = open_page(context, trained_app + "?lecture=1&tab=gradients")
    rest(page)
    plot = page.locator(".cr-plot").first
    style = "getComputedStyle(document.body).getPropertyValue('--cr-{}')"
    ink, blue = (page.evaluate(style.format(name)) for name in ("ink", "minus"))
    assert (ink, blue) == ("#000000", "#00527a")
    names = plot.evaluate("plot => plot.data.map((trace) => [trace.name, trace.line?.color])")
    assert ["Vanilla RNN", blue] in names
    assert plot.evaluate("plot => plot.layout.font.color") == ink
    swatch = page.locator(".cr-chips label", has_text="Vanilla RNN").first.locator("svg")
    assert swatch.evaluate("e => getComputedStyle(e).stroke") == "rgb(0, 82, 122)"
    plot.scroll_into_view_if_needed()
    x, y, k = plot.evaluate(
        """(plot) => {
            const { xaxis, yaxis } = plot._fullLayout;
            const k = 10, trace = plot.data.find(({ name }) => name === "LSTM");
            const box = plot.querySelector(".nsewdrag").getBoundingClientRect();
            const share = (axis, value) => axis.d2p(value) / axis._length;
            const y = trace.y[trace.x.indexOf(k)];
            return [box.x + share(xaxis, k) * box.width, box.y + share(yaxis, y) * box.height, k];
        }"""
    )
    page.mouse.move(x, y)
    expect(plot.locator(".hovertext")).to_contain_text(f"LSTM, k = {k}")
    label = plot.locator(".hovertext").bounding_box()
    assert label and abs(label["y"] + label["height"] / 2 - y) < 3


def test_number_keys_open_tabs_and_question_mark_lists_keys(context: BrowserContext, trained_app: str):
    page = open_page(context, trained_app)
    expect(page.locator(".cr-scene")).to_be_hidden()
    tabs = [name.strip() for name in page.get_by_role("tab").all_text_contents()]
    for number, name in [*enumerate(tabs, 1)][::-1]:
        page.keyboard.press(str(number))
        expect(page.get_by_role("tab", name=name)).to_have_attribute("aria-selected", "true")
    page.keyboard.press("PageDown")  # outside a lecture it scrolls the page
    expect(page.locator(".cr-scene")).to_be_hidden()
    set_more(page)
    page.locator("#cr-prompt").focus()
    page.keyboard.type("2?")
    expect(page.get_by_role("tab", name="Write")).to_have_attribute("aria-selected", "true")
    dialog = page.get_by_role("dialog", name="Keys")
    expect(dialog).to_be_hidden()
    page.locator(".cr-text").focus()
    page.keyboard.press("?")
    expect(dialog).to_be_visible()
    for key in ("space", "→", "PgDn", "Esc"):
        expect(dialog.locator("kbd").get_by_text(key, exact=True).first).to_be_visible()
    for _ in range(3):
        page.keyboard.press("Tab")
        inside = "!!document.activeElement.closest('dialog') || document.activeElement === document.body"
        assert page.evaluate(inside)
    run = page.evaluate("charrnn.live.record.run")
    page.keyboard.press("2")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(page.locator(".cr-text")).to_be_focused()
    assert page.evaluate("charrnn.live.record.run") == run
    expect(page.get_by_role("tab", name="Write")).to_have_attribute("aria-selected", "true")


def test_hide_removes_controls_and_tabs(context: BrowserContext, app: str):
    page = open_page(context, app + "?hide=top_p,min_p,speed,compare,prompt,share,jokes")
    for name in ("top_p", "min_p", "speed", "prompt"):
        expect(page.locator(f"#cr-{name}")).to_be_hidden()
    page.evaluate("document.querySelector('.cr-more').open = true")
    for name in ("step", "temperature", "top_k", "seed", "characters"):
        expect(page.locator(f"#cr-{name}")).to_be_visible()
    expect(page.locator("#cr-min_p")).to_be_hidden()
    expect(page.get_by_role("button", name="Copy link")).to_be_hidden()
    expect(page.get_by_role("tab", name="Compare")).to_be_hidden()
    expect(page.locator(".cr-notice span")).to_contain_text("hide names 'jokes': give model, step")
    page.keyboard.press("4")  # the fourth visible tab
    expect(page.get_by_role("tab", name="Under the hood")).to_have_attribute("aria-selected", "true")
    page = open_page(context, app + "?hide=gradients&tab=gradients")
    expect(page.get_by_role("tab", name="Write")).to_have_attribute("aria-selected", "true")
