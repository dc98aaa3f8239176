"""Actions on the page and reads of its content, by name."""

import base64
import json
import urllib.request
from typing import Any

import numpy as np
from playwright.sync_api import BrowserContext, Page

from charrnn.checkpoint import Checkpoint
from charrnn.sampling import SamplingSettings, UniformStream, generate

SETTINGS = SamplingSettings(0.8)  # the page's defaults
PAPER, BLUE, ORANGE = (np.array(color) for color in ((0xFB, 0xFA, 0xF8), (0x0B, 0x6E, 0x99), (0xD1, 0x60, 0x2B)))
SPEEDS = [1, 2, 5, 10, 20, 30, 60, 120, 0]
SLOW = 5  # characters a second: the text still grows at the next click, on a busy machine too


def set_slider(page: Page, name: str, value: float) -> None:
    page.locator(f"#cr-{name}").fill(str(value))


def set_speed(page: Page, characters_per_second: int) -> None:
    set_slider(page, "speed", SPEEDS.index(characters_per_second))


def set_more(page: Page, seed: int | None = None, characters: int | None = None, prompt: str | None = None) -> None:
    page.evaluate("document.querySelector('.cr-more').open = true")
    for name, value in (("seed", seed), ("characters", characters), ("prompt", prompt)):
        if value is not None:
            page.locator(f"#cr-{name}").fill(str(value))


def press(page: Page, action: str) -> None:
    page.locator(f'[data-action="{action}"]').click()


def write(page: Page, **more: Any) -> str:
    """Press Write and wait for the end -> the whole text."""
    run = page.evaluate("charrnn.live.record.run")
    set_more(page, **more)
    press(page, "write")
    page.wait_for_function(
        f"charrnn.live.record.run > {run} && charrnn.state === 'finished' &&"
        "charrnn.live.drawn === charrnn.live.received"
    )
    return text(page)


def start_writing(page: Page, at_least: int = 20, **more: Any) -> None:
    """Press Write and wait until so many characters of the new text are drawn."""
    run = page.evaluate("charrnn.live.record.run")
    set_more(page, **more)
    press(page, "write")
    page.wait_for_function(f"charrnn.live.record.run > {run} && charrnn.live.drawn >= {at_least}")


def wait_until_idle(page: Page) -> None:
    """Wait until nothing is generated and all characters are drawn, for ten frames."""
    page.wait_for_function(
        """() => {
            const isIdle = charrnn.state !== "writing" && charrnn.live.drawn === charrnn.live.received;
            window.idleFrames = isIdle ? (window.idleFrames ?? 0) + 1 : 0;
            if (window.idleFrames < 10) return false;
            window.idleFrames = 0;
            return true;
        }"""
    )


def text(page: Page) -> str:
    """The text in the document."""
    return page.evaluate("[...document.querySelectorAll('.cr-line span')].map(span => span.textContent).join('')")


def columns(page: Page) -> np.ndarray:
    """All values of the heatmap's view in the page, (T, rows)."""
    packed = page.evaluate(
        """() => {
            const { record } = charrnn.live;
            const bytes = new Uint8Array(record.columns.buffer, 0, 4 * record.length * record.rows);
            let text = "";
            for (let i = 0; i < bytes.length; i += 4096) text += String.fromCharCode(...bytes.subarray(i, i + 4096));
            return btoa(text);
        }"""
    )
    rows = page.evaluate("charrnn.live.record.rows")
    return np.frombuffer(base64.b64decode(packed), "<f4").reshape(-1, rows).astype(float)


def choose(page: Page, model: str) -> None:
    """Choose a model and wait until it has read the text, which stays."""
    page.locator("#cr-again").uncheck()
    page.locator("#cr-model").select_option(model)
    page.wait_for_function(f"charrnn.live.record.model.name === '{model}'")


def show_view(page: Page, view: str) -> None:
    """Select a view of the heatmap and wait for it."""
    page.locator(f'.cr-shown [data-value="{view}"]').click()
    page.wait_for_function(f"charrnn.live.record.view.name === '{view}'")


def open_options(page: Page) -> None:
    """Unfold the options of the heatmap."""
    page.locator(".cr-map-options summary").click()


def canvas_column(page: Page, position: int, picture: str = "map") -> list[list[int]]:
    """The colors of a picture at a position, [r, g, b] of each row from the top."""
    return page.evaluate(
        """([position, picture]) => {
            const map = charrnn.live.pictures[picture];
            const cell = map.canvas.width / map.columns;
            const x = Math.floor((position - map.from + 0.5) * cell);
            const pixels = map.canvas.getContext("2d").getImageData(x, 0, 1, map.rowHeight * map.rows.length).data;
            return map.rows.map((_, row) => {
                const at = 4 * Math.floor((row + 0.5) * map.rowHeight + map.gap / 2);
                return [pixels[at], pixels[at + 1], pixels[at + 2]];
            });
        }""",
        [position, picture],
    )


def call(address: str, name: str, *arguments: Any) -> Any:
    """Call a named endpoint. Raises RuntimeError with the JSON of a refusal."""
    body = json.dumps({"data": list(arguments)}).encode()
    request = urllib.request.Request(f"{address}gradio_api/call/{name}", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=120) as answer:
        event = json.load(answer)["event_id"]
    with urllib.request.urlopen(f"{address}gradio_api/call/{name}/{event}", timeout=120) as answer:
        lines = answer.read().decode().strip().splitlines()
    kind, data = lines[-2].removeprefix("event: "), json.loads(lines[-1].removeprefix("data: "))
    if kind == "error":
        raise RuntimeError(json.dumps(data, ensure_ascii=False))
    return data[0]


def refuse_networks(context: BrowserContext, reason: str = "the test refuses it") -> None:
    """Refuse the page its network, so that the server generates the text."""
    context.route(
        "**/charrnn/network?*", lambda route: route.fulfill(status=404, content_type="text/plain", body=reason)
    )


def generated(
    checkpoint: Checkpoint,
    prompt: str,
    n: int,
    seed: int,
    settings: SamplingSettings = SETTINGS,
    **more: Any,
) -> str:
    """Return the prompt and n characters generated after it by the package."""
    decoder = more.pop("decoder", None) or checkpoint.model.decoder()
    output = decoder.prefill(checkpoint.vocab.encode(prompt))
    steps = generate(decoder, output, n, settings, UniformStream(seed), **more)
    return prompt + checkpoint.vocab.decode([step.id for step in steps])


def shades(shares: np.ndarray) -> np.ndarray:
    """Return the light palette's colors of values, clipped to -1 ... 1: (rows, 3)."""
    share = np.clip(shares, -1, 1)[:, None]
    return PAPER + np.where(share < 0, BLUE - PAPER, ORANGE - PAPER) * np.abs(share)


def use_text(page: Page, text: str) -> None:
    """Measure the gradients on this text."""
    flow = page.locator("#cr-flow")
    flow.locator("details:has(#cr-own-text)").evaluate("fold => (fold.open = true)")
    flow.locator("#cr-own-text").fill(text)
    flow.get_by_role("button", name="Use this text").click()
