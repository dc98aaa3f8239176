"""The page around the tabs: themes, phone layout, late scripts, endpoints."""

import json
import re
import urllib.request
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import BrowserContext, Page, Route, expect

from charrnn.bench.page_speed import ALIVE
from charrnn.checkpoint import Checkpoint, load
from charrnn.gradient_flow import gradient_flow
from tests.ui.conftest import PHONE, open_page
from tests.ui.page_actions import call, press, set_slider, text

OWN_TEXT = "What, is the king but sleeping? " * 12
LIGHT, DARK = "rgb(251, 250, 248)", "rgb(19, 20, 23)"


def background(page: Page) -> str:
    return page.evaluate("getComputedStyle(document.body).backgroundColor")


# ------------------------------------------------------------------ appearance and scripts


def test_dark_theme_follows_the_system(context: BrowserContext, app: str):
    page = open_page(context, app, scheme="dark")
    assert background(page) == DARK
    assert page.evaluate("getComputedStyle(document.querySelector('.cr-controls')).color") == "rgb(236, 233, 227)"
    corner = "({ canvas }) => canvas.getContext('2d').getImageData(5, canvas.height - 1, 1, 1).data[0]"
    assert page.evaluate(f"({corner})(charrnn.live.map)") < 40


def test_phone_layout_and_settings_drawer(context: BrowserContext, app: str):
    page = open_page(context, app, PHONE, motion="reduce")
    tops = [page.locator(part).bounding_box() for part in (".cr-text-panel", ".cr-distribution", ".cr-map")]
    assert [box and box["y"] for box in tops] == sorted(box["y"] for box in tops if box)
    moving = "e => getComputedStyle(e).transitionDuration !== '0s' || getComputedStyle(e).animationName !== 'none'"
    assert page.evaluate(f"[...document.querySelectorAll('.gradio-container *')].filter({moving}).length") == 0
    expect(page.locator("#cr-temperature")).to_be_hidden()
    page.get_by_role("button", name="Settings").click()
    expect(page.locator("#cr-temperature")).to_be_visible()
    page.keyboard.press("Shift+Tab")
    for _ in range(14):  # one full cycle of the focus
        focused = "['BODY', 'HTML'].includes(document.activeElement.tagName)"
        assert page.evaluate(f"!!document.activeElement.closest('#cr-settings') || {focused}")
        page.keyboard.press("Tab")
    set_slider(page, "temperature", 0)
    page.get_by_role("button", name="Done").click()
    expect(page.locator("#cr-temperature")).to_be_hidden()
    press(page, "write")
    page.wait_for_function("charrnn.state === 'writing'")
    page.get_by_role("button", name="Settings").click()
    press(page, "stop")
    page.wait_for_function("charrnn.state === 'finished'")


def test_words_are_english_and_texts_are_not_translated(page: Page):
    page.evaluate("document.documentElement.lang = 'de'")  # as Gradio does in a German browser
    expect(page.locator("html")).to_have_attribute("lang", "en")
    texts = page.locator(".cr-line, .cr-likely th, .cr-after")
    assert texts.count() > 10 and texts.evaluate_all("all => all.filter((each) => each.translate).length") == 0


def test_link_preview_describes_the_page(app: str):
    with urllib.request.urlopen(app, timeout=30) as answer:
        html = answer.read().decode()
        assert answer.headers["Content-Length"] == str(len(html.encode()))
    tags = dict(re.findall(r'<meta (?:property|name)="((?:og|twitter):\w+)" content="([^"]*)">', html))
    assert tags.keys() == {"og:type", "og:title", "og:description", "twitter:card"}
    assert tags["og:title"] == "Char-RNN Lab" and "og:image" not in html and "Click to try" not in html
    assert tags["og:description"].startswith("Watch a small neural network write")
    head = urllib.request.Request(app, method="HEAD")
    with urllib.request.urlopen(head, timeout=30) as answer:
        assert answer.status == 200


def test_small_windows_cut_no_control_and_no_verdict(context: BrowserContext, app: str):
    page = open_page(context, app + "?tab=compare", {"width": 1024, "height": 768})
    seed = page.locator("#cr-dice [name=ab_seed]")
    page.locator("#cr-dice summary").click()
    seed.fill("4294967295")
    assert seed.evaluate("box => box.scrollWidth <= box.clientWidth")
    page.get_by_role("tab", name="Neurons").click()
    page.get_by_text("All 22").click()
    table = page.locator("#cr-units .cr-table")
    expect(table.locator("tbody tr").first).to_be_visible()
    assert table.evaluate("box => box.scrollWidth <= box.clientWidth")
    page.set_viewport_size({"width": 320, "height": 640})
    for button in page.locator(".cr-actions button").all():
        assert (button.bounding_box() or {})["x"] >= 0
        assert button.evaluate("e => e.getBoundingClientRect().right <= innerWidth && e.scrollWidth <= e.clientWidth")


def test_script_that_does_not_load_shows_an_error(page: Page, app: str):
    page.goto(app)
    page.wait_for_function(ALIVE)
    page.route("**/charrnn/**", lambda route: route.abort())
    page.get_by_role("tab", name="Gradients").click()
    expect(page.get_by_text("could not be loaded")).to_have_count(1)  # of six parts
    expect(page.get_by_text("could not be loaded")).to_be_visible()
    expect(page.get_by_text("dynamically imported")).to_have_count(0)
    assert "charrnn/" in (page.locator(".cr-load-error").get_attribute("title") or "")


def test_figure_replaced_while_loading_keeps_newer_words(page: Page, app: str):
    def late(route: Route) -> None:
        page.wait_for_timeout(500)
        route.continue_()

    page.route("**/plotly.min.js", late)
    said = page.evaluate(
        """async (module) => {
            const { createFigure } = await import(module);
            const box = document.querySelector(".cr-main").appendChild(document.createElement("div"));
            const errors = [];
            const draw = createFigure(box, (error) => errors.push(error));
            draw({ figure: { data: [], layout: {} }, words: "a figure" });
            draw({ figure: null, words: "" });
            while (!window.Plotly) await new Promise((resolve) => setTimeout(resolve, 50));
            await new Promise((resolve) => setTimeout(resolve, 200));
            const isHidden = box.hidden;
            box.remove();
            return [errors, isHidden];
        }""",
        f"{app}charrnn/components/plot/plotly_figure.js",
    )
    assert said == [[], True]


def test_page_works_if_a_script_arrives_late(context: BrowserContext, app: str):
    page = context.new_page()

    def late(route: Route) -> None:
        page.wait_for_timeout(1500)
        route.continue_()

    page.route("**/view.js", late)
    page.goto(app)
    page.wait_for_function(ALIVE)
    assert text(page).startswith("ROMEO:")


def test_form_submitted_before_its_script_arrives_is_answered(page: Page, app: str):
    held: list[Route] = []
    page.route("**/neurons/leaderboard.js", lambda route: held.append(route))
    page.goto(app + "?tab=neurons")
    page.wait_for_function(ALIVE)
    page.locator("#cr-units [name=pattern]").fill("th")
    page.get_by_role("button", name="Test it").click()
    held[0].continue_()
    expect(page.locator("#cr-units .cr-card").first).to_contain_text("your pattern: th")


def test_input_before_its_script_arrives_stays(page: Page, app: str):
    held: list[Route] = []
    page.route("**/compare/coupled_sampling.js", lambda route: held.append(route))
    page.goto(app + "?tab=compare")
    page.wait_for_function(ALIVE)
    page.locator("#cr-dice summary").click()
    page.locator("#cr-dice [name=ab_seed]").fill("13")
    held[0].continue_()
    expect(page.locator("#cr-dice .cr-after").first).to_be_visible()
    expect(page.locator("#cr-dice [name=ab_seed]")).to_have_value("13")
    assert page.evaluate("charrnn.comparison") == {"ab_seed": "13"}


# ------------------------------------------------------------------ endpoints


def test_gradient_flow_endpoint_matches_the_package(app: str, checkpoint: Checkpoint):
    found = call(app, "gradient_flow", OWN_TEXT, "rnn", 0)
    untrained = load(checkpoint.info.folder, 0)
    expected = gradient_flow(untrained.model, checkpoint.vocab.encode(OWN_TEXT), 128, 512)
    np.testing.assert_allclose(found["median"], expected.median)
    assert found["half_life_chars"] == pytest.approx(expected.half_life_chars)
    for name in ("half_life_interval", "horizon_interval"):
        assert found[name] == pytest.approx(getattr(expected, name))


WRITE = ["ROMEO:", "rnn", 10, 0.8, 0, 1.0, 0.0, 7, -1]


@pytest.mark.parametrize(
    ("place", "wrong", "reason"),
    [
        (0, "Romé", "'é' at position 3"),
        (1, "../rnn", "no checkpoint"),
        (8, 5, "not saved at step 5"),
        (3, "hot", "temperature is"),
        (0, None, "prompt is empty: give a text"),
        (2, 10.5, "characters is 10.5: give a whole number"),
    ],
)
def test_write_endpoint_refuses_with_a_reason(app: str, place: int, wrong: Any, reason: str):
    arguments = list(WRITE)
    arguments[place] = wrong
    with pytest.raises(RuntimeError) as refused:
        call(app, "write", *arguments)
    error = json.loads(str(refused.value))["error"]
    assert re.search(reason, error) and "\n" not in error and error[0] not in "'\""


def test_endpoint_accepts_whole_numbers_as_floats(app: str):
    plain = call(app, "write", *WRITE)
    assert call(app, "write", *[float(x) if type(x) is int else x for x in WRITE]) == plain
    assert call(app, "write", *WRITE[:7], 1e9, -1) == call(app, "write", *WRITE[:7], 10**9, -1) != plain


def test_info_lists_the_four_endpoints(app: str):
    with urllib.request.urlopen(f"{app}gradio_api/info", timeout=30) as answer:
        info = json.load(answer)
    assert set(info["named_endpoints"]) == {"/write", "/next_characters", "/gradient_flow", "/models"}
    assert not info["unnamed_endpoints"]
    described = info["named_endpoints"]["/write"]
    assert [p["parameter_name"] for p in described["parameters"]][:3] == ["prompt", "checkpoint", "characters"]
    assert described["parameters"][2]["parameter_default"] == 400
