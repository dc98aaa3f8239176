"""What a visitor does, and what is on the page, by name."""

import base64
import json
import urllib.request
from typing import Any

import numpy as np
from playwright.sync_api import BrowserContext, Page

from charrnn.checkpoint import Checkpoint
from charrnn.sampling import SamplingSettings, UniformStream, generate

SETTINGS = SamplingSettings(0.8)  # of the page
PAPER, BLUE, ORANGE = (np.array(color) for color in ((0xFB, 0xFA, 0xF8), (0x0B, 0x6E, 0x99), (0xD1, 0x60, 0x2B)))
SPEEDS = [1, 2, 5, 10, 20, 30, 60, 120, 0]
SLOWLY = 5  # characters a second: the text still runs when the next click comes, on a busy machine too


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
    """Press Write and wait until some characters of the new text stand there."""
    run = page.evaluate("charrnn.live.record.run")
    set_more(page, **more)
    press(page, "write")
    page.wait_for_function(f"charrnn.live.record.run > {run} && charrnn.live.drawn >= {at_least}")


def settled(page: Page) -> None:
    """Until everything that was sent is drawn and nothing more comes."""
    page.wait_for_function("charrnn.state !== 'writing'")
    page.wait_for_timeout(300)
    page.wait_for_function("charrnn.live.drawn === charrnn.live.received")


def text(page: Page) -> str:
    """The text as it stands in the document."""
    return page.evaluate("[...document.querySelectorAll('.cr-line span')].map(span => span.textContent).join('')")


def columns(page: Page) -> np.ndarray:
    """Every value the page keeps of what the heatmap shows, (T, rows)."""
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
    """Choose a model and wait until it has read the text."""
    page.locator("#cr-model").select_option(model)
    page.wait_for_function(f"charrnn.live.record.model.name === '{model}'")


def look_at(page: Page, view: str) -> None:
    """Let the heatmap show something else of the model, and wait for it."""
    page.locator(f'.cr-shown [data-value="{view}"]').click()
    page.wait_for_function(f"charrnn.live.record.view.name === '{view}'")


def canvas_column(page: Page, position: int) -> list[list[int]]:
    """The colours on the canvas at a position, one [r, g, b] for each row from the top, and the rows' units."""
    return page.evaluate(
        """(position) => {
            const { map } = charrnn.live;
            const cell = map.canvas.width / map.columns;
            const x = Math.floor((position - map.from + 0.5) * cell);
            const pixels = map.canvas.getContext("2d").getImageData(x, 0, 1, map.rowHeight * map.rows.length).data;
            return map.rows.map((_, row) => {
                const at = 4 * Math.floor((row + 0.5) * map.rowHeight);
                return [pixels[at], pixels[at + 1], pixels[at + 2]];
            });
        }""",
        position,
    )


def call(address: str, name: str, *arguments: Any) -> Any:
    """Call a named endpoint as any client may. Raises RuntimeError with the error's JSON if it is refused."""
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
    """Let the server write: the page gets no network to run."""
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
    """The prompt and the n characters that the package writes after it; `decoder` and `chosen` may be given."""
    decoder = more.pop("decoder", None) or checkpoint.model.decoder()
    output = decoder.prefill(checkpoint.vocab.encode(prompt))
    steps = generate(decoder, output, n, settings, UniformStream(seed), **more)
    return prompt + checkpoint.vocab.decode([step.id for step in steps])


def shades(shares: np.ndarray) -> np.ndarray:
    """The light palette's colors of shares of the scale, -1 ... 1 and beyond: (rows, 3)."""
    share = np.clip(shares, -1, 1)[:, None]
    return PAPER + np.where(share < 0, BLUE - PAPER, ORANGE - PAPER) * np.abs(share)
