"""The page around the tabs: looks, widths, visitors, endpoints."""

import json
import re
import subprocess
import sys
import urllib.error
import urllib.request
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect

from charrnn.bench.page_speed import ALIVE
from charrnn.checkpoint import Checkpoint
from charrnn.gradient_flow import gradient_flow
from charrnn.sampling import SamplingSettings, UniformStream, distribution, generate
from scripts.dev.page_tour import names, open_tab, rest
from tests.ui.conftest import CHECKPOINTS, ROOT, open_page
from tests.ui.page_actions import press, set_slider, set_speed, settled, start_writing, text, write

OWN_TEXT = "What, is the king but sleeping? " * 12


def background(page: Page) -> str:
    return page.evaluate("getComputedStyle(document.body).backgroundColor")


# ------------------------------------------------------------------ looks


def test_dark_follows_the_system(browser: Browser, app: str):
    context = browser.new_context(color_scheme="dark")
    page = open_page(context, app)
    assert background(page) == "rgb(19, 20, 23)"
    assert page.evaluate("getComputedStyle(document.querySelector('.cr-controls')).color") == "rgb(236, 233, 227)"
    bottom = (
        "const { canvas } = charrnn.live.map; return canvas.getContext('2d').getImageData(5, canvas.height - 1, 1, 1)"
    )
    dark = page.evaluate(f"(() => {{ {bottom}.data[0]; }})()")
    assert dark < 40
    context.close()


def test_dark_and_light_can_be_asked_for(context: BrowserContext, app: str):
    assert background(open_page(context, app + "?__theme=dark")) == "rgb(19, 20, 23)"
    assert background(open_page(context, app)) == "rgb(251, 250, 248)"


def test_nothing_scrolls_sideways(browser: Browser, app: str):
    context = browser.new_context(viewport={"width": 360, "height": 844}, has_touch=True)
    page = open_page(context, app)
    for tab in names(page):
        open_tab(page, tab)
        for width in (390, 768, 1024, 360):
            page.set_viewport_size({"width": width, "height": 844})
            rest(page)
            assert page.evaluate("document.documentElement.scrollWidth") <= width, tab
    context.close()


def test_on_a_phone_the_settings_are_a_drawer(browser: Browser, app: str):
    context = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True)
    page = open_page(context, app)
    expect(page.locator("#cr-temperature")).to_be_hidden()
    page.get_by_role("button", name="Settings").click()
    expect(page.locator("#cr-temperature")).to_be_visible()
    page.keyboard.press("Shift+Tab")
    for _ in range(14):  # once around
        focused = "['BODY', 'HTML'].includes(document.activeElement.tagName)"
        assert page.evaluate(f"!!document.activeElement.closest('#cr-settings') || {focused}")
        page.keyboard.press("Tab")
    set_slider(page, "temperature", 0)
    page.get_by_role("button", name="Done").click()
    expect(page.locator("#cr-temperature")).to_be_hidden()
    press(page, "write")
    page.wait_for_function("charrnn.state === 'writing'")
    press(page, "stop")
    context.close()


def test_on_a_phone_the_heatmap_follows_the_text(browser: Browser, app: str):
    context = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True)
    page = open_page(context, app)
    tops = [page.locator(part).bounding_box() for part in (".cr-text-panel", ".cr-map", ".cr-distribution")]
    assert [box and box["y"] for box in tops] == sorted(box["y"] for box in tops if box)
    context.close()


def test_a_script_that_does_not_load_is_said_in_its_place(page: Page, app: str):
    page.route("**/plot.js", lambda route: route.abort())
    page.goto(app)
    page.get_by_role("tab", name="Gradients").click()
    expect(page.get_by_text("could not be loaded").first).to_be_visible()


def test_who_wants_no_motion_sees_none(browser: Browser, app: str):
    context = browser.new_context(reduced_motion="reduce", viewport={"width": 390, "height": 844})
    page = open_page(context, app)
    moving = "e => getComputedStyle(e).transitionDuration !== '0s' || getComputedStyle(e).animationName !== 'none'"
    assert page.evaluate(f"[...document.querySelectorAll('.gradio-container *')].filter({moving}).length") == 0
    context.close()


def test_every_control_has_a_name(page: Page):
    nameless = page.evaluate(
        """[...document.querySelectorAll('.cr-page :is(button, input, select, textarea, [tabindex="0"])')]
            .filter((e) => e.offsetParent && !e.textContent.trim() && !e.getAttribute('aria-label'))
            .filter((e) => !(e.labels && e.labels.length))
            .map((e) => e.outerHTML)"""
    )
    assert nameless == []


# ------------------------------------------------------------------ visitors


def test_two_pages_of_one_visitor_do_not_disturb_each_other(context: BrowserContext, app: str):
    first, second = open_page(context, app), open_page(context, app)
    set_speed(first, 60)
    start_writing(first, at_least=10, seed=21, characters=150, prompt="A")
    set_speed(second, 60)
    shown = write(second, seed=22, characters=60, prompt="B")
    press(second, "clear")
    settled(first)
    assert text(first).startswith("A") and len(text(first)) == 151
    assert shown.startswith("B") and len(shown) == 61


def test_scripts_that_arrive_late_miss_nothing(context: BrowserContext, app: str):
    page = context.new_page()

    def late(route: Route) -> None:
        page.wait_for_timeout(1500)
        route.continue_()

    page.route("**/view.js", late)
    page.goto(app)
    page.wait_for_function(ALIVE)
    assert text(page).startswith("ROMEO:")


# ------------------------------------------------------------------ endpoints


def call(app: str, name: str, *arguments: Any) -> Any:
    """Call a named endpoint as any client may."""
    body = json.dumps({"data": list(arguments)}).encode()
    request = urllib.request.Request(f"{app}gradio_api/call/{name}", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        event = json.load(answer)["event_id"]
    with urllib.request.urlopen(f"{app}gradio_api/call/{name}/{event}", timeout=60) as answer:
        lines = answer.read().decode().strip().splitlines()
    kind, data = lines[-2].removeprefix("event: "), json.loads(lines[-1].removeprefix("data: "))
    if kind == "error":
        raise RuntimeError(json.dumps(data, ensure_ascii=False))
    return data[0]


def test_the_endpoint_writes_what_python_writes(app: str, checkpoint: Checkpoint):
    found = call(app, "write", "ROMEO:", "rnn", 120, 0.8, 20, 0.95, 0.01, 7, -1)
    decoder = checkpoint.model.decoder()
    reading = decoder.prefill(checkpoint.vocab.encode("ROMEO:"))
    steps = generate(decoder, reading, 120, SamplingSettings(0.8, 20, 0.95, 0.01), UniformStream(7))
    assert found == "ROMEO:" + checkpoint.vocab.decode([step.id for step in steps])


def test_page_and_endpoint_write_the_same(page: Page, app: str):
    set_speed(page, 0)
    shown = write(page, seed=99, characters=80, prompt="KING")
    assert shown == call(app, "write", "KING", "rnn", 80, 0.8, 0, 1.0, 0.0, 99, -1)


def test_the_script_writes_the_same(app: str):
    options = "--prompt ROMEO: --chars 90 --temperature 0.8 --top-k 9 --top-p 0.9 --seed 5".split()
    command = [sys.executable, "scripts/sample.py", "--checkpoint", str(CHECKPOINTS / "rnn"), *options]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert told == call(app, "write", "ROMEO:", "rnn", 90, 0.8, 9, 0.9, 0.0, 5, -1) + "\n"


def test_next_characters_are_those_of_sampling(app: str, checkpoint: Checkpoint):
    found = call(app, "next_characters", "ROMEO:\nI ", "rnn", 0.7, 10, 0.9, 0.0, -1)
    logits = checkpoint.model.decoder().prefill(checkpoint.vocab.encode("ROMEO:\nI ")).logits
    expected = distribution(logits, SamplingSettings(0.7, 10, 0.9))
    assert "".join(row["character"] for row in found) == checkpoint.vocab.decode(expected.order.tolist())
    np.testing.assert_allclose([row["probability"] for row in found], expected.probs)
    np.testing.assert_allclose([row["raw"] for row in found], expected.raw)


def test_gradient_flow_is_the_package_s(app: str, checkpoint: Checkpoint):
    found = call(app, "gradient_flow", OWN_TEXT, "rnn", 0)
    from charrnn.checkpoint import load

    untrained = load(checkpoint.info.folder, 0)
    expected = gradient_flow(untrained.model, checkpoint.vocab.encode(OWN_TEXT), 128, 512)
    np.testing.assert_allclose(found["median"], expected.median)
    assert found["half_life_chars"] == pytest.approx(expected.half_life_chars)


def test_models_lists_the_bundled_checkpoint(app: str, checkpoint: Checkpoint):
    (found,) = [model for model in call(app, "models") if model["name"] == "rnn"]
    assert found["sha256"] == checkpoint.info.sha256
    assert found["saved_steps"] == checkpoint.info.saved_steps
    assert found["parameters"] == sum(p.numel() for p in checkpoint.model.parameters())


WRITE = ["ROMEO:", "rnn", 10, 0.8, 0, 1.0, 0.0, 7, -1]


@pytest.mark.parametrize(
    ("place", "wrong", "said"),
    [
        (0, "Romé", "'é' at position 3"),
        (1, "../rnn", "no checkpoint"),
        (2, 10**9, "characters is"),
        (2, 0, "characters is"),
        (3, 9.0, "temperature is"),
        (3, -1.0, "temperature is"),
        (4, -1, "top_k is"),
        (5, 0, "top_p is"),
        (6, 2, "min_p is"),
        (7, -1, "seed is"),
        (8, 5, "not saved at step 5"),
        (3, "hot", "temperature is"),
        (3, 1e-9, "temperature is"),
        (0, "a" * 1001, "length of prompt"),
        (0, None, "prompt is empty: give a text"),
        (0, 5, "prompt is 5: give a text"),
        (1, ["rnn"], "checkpoint is .* give a text"),
        (2, 10.5, "characters is 10.5: give a whole number"),
        (2, True, "characters is True: give a whole number"),
        (4, 1e300, "top_k is"),
        (4, None, "top_k is empty"),
        (7, "7", "seed is '7': give a whole number"),
        (7, 2**32, "seed is"),
        (8, 10.5, "step is 10.5"),
    ],
)
def test_the_endpoint_refuses_and_says_why(app: str, place: int, wrong: Any, said: str):
    arguments = list(WRITE)
    arguments[place] = wrong
    with pytest.raises(RuntimeError) as refused:
        call(app, "write", *arguments)
    told = json.loads(str(refused.value))["error"]
    assert re.search(said, told) and "\n" not in told and told[0] not in "'\""


@pytest.mark.parametrize("wrong", [None, 5, "a" * 20_001])
def test_the_other_endpoints_refuse_a_text_that_is_none(app: str, wrong: Any):
    for name, more in (("next_characters", ["rnn", 1.0, 0, 1.0, 0.0, -1]), ("gradient_flow", ["rnn", -1])):
        with pytest.raises(RuntimeError, match="text is .*: give a text|length of text is 20001"):
            call(app, name, wrong, *more)


def test_whole_numbers_may_be_written_with_a_point(app: str):
    plain = call(app, "write", *WRITE)
    assert call(app, "write", *[float(x) if type(x) is int else x for x in WRITE]) == plain
    assert call(app, "write", *WRITE[:7], 1e9, -1) == call(app, "write", *WRITE[:7], 10**9, -1) != plain


def test_only_the_four_endpoints_are_named(app: str):
    with urllib.request.urlopen(f"{app}gradio_api/info", timeout=30) as answer:
        info = json.load(answer)
    assert set(info["named_endpoints"]) == {"/write", "/next_characters", "/gradient_flow", "/models"}
    assert not info["unnamed_endpoints"]
    described = info["named_endpoints"]["/write"]
    assert [p["parameter_name"] for p in described["parameters"]][:3] == ["prompt", "checkpoint", "characters"]
    assert described["parameters"][2]["parameter_default"] == 400


@pytest.mark.parametrize(
    "path",
    [
        "__init__.py",
        "..%2f..%2fapp.py",
        "../../app.py",
        "write/view.html",
        "nothing.js",
        "%00",
        "page.js%00.css",
        "a" * 5000,
    ],
)
def test_only_scripts_and_styles_are_served(app: str, path: str):
    with pytest.raises(urllib.error.HTTPError) as refused, urllib.request.urlopen(f"{app}charrnn/{path}", timeout=30):
        pass
    refused.value.close()
    assert refused.value.code == 404
