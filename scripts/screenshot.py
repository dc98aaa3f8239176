"""
The pictures of the README, taken from the running app in a real Chromium: `python scripts/screenshot.py`.

Starts app.py on a free port, writes a text with a fixed seed, and saves docs/write_light.png and docs/write_dark.png.
"""

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from scripts.bench_page import ALIVE, running_app
from scripts.browser import find_browser

WIDTH, HEIGHT = 1440, 900
SEED, CHARACTERS = 11, 520


def write(page: Page) -> None:
    """A finished text, coloured by a unit that is on for part of it."""
    page.evaluate("document.querySelector('.cr-more').open = true")
    for name, value in (("temperature", 0.7), ("top_k", 12), ("top_p", 0.95), ("speed", 8)):
        page.locator(f"#cr-{name}").fill(str(value))
    page.locator("#cr-seed").fill(str(SEED))
    page.locator("#cr-characters").fill(str(CHARACTERS))
    page.evaluate("document.querySelector('.cr-more').open = false")
    page.locator('[data-action="write"]').click()
    page.wait_for_function(
        f"charrnn.state === 'finished' && charrnn.live.drawn === {CHARACTERS} + charrnn.live.record.prompt"
    )


def picture(page: Page, path: Path) -> None:
    """The text coloured by the unit that likes capitals best, the pointer on its row, its surroundings magnified."""
    page.locator("#cr-speed").fill("5")
    box = page.locator(".cr-canvas").bounding_box()
    assert box
    unit = page.evaluate(
        """() => {
            const { record, map } = charrnn.live;
            const wanted = record.characters.map((c) => (/[A-Z:]/.test(c) ? 1 : -1));
            const weight = { 1: 1 / wanted.filter((w) => w > 0).length, "-1": 1 / wanted.filter((w) => w < 0).length };
            const score = (unit) => wanted.reduce((sum, w, i) => sum + w * weight[w] * record.value(i, unit), 0);
            return [...map.rows].sort((a, b) => score(b) - score(a))[0];
        }"""
    )
    row = page.evaluate(f"charrnn.live.map.rows.indexOf({unit})")
    column = page.evaluate(  # where the choice was widest, a little right of the middle
        """() => {
            const { record, map, distribution } = charrnn.live;
            const left = (i) => distribution(record.logitsAfter(map.from + i), charrnn.settings).kept;
            return Array.from({ length: 24 }, (_, i) => i + 56).sort((a, b) => left(b) - left(a))[0];
        }"""
    )
    rows, columns = page.evaluate("[charrnn.live.map.rows.length, charrnn.live.map.columns]")
    x = box["x"] + (column + 0.5) * box["width"] / columns
    page.mouse.click(x, box["y"] + (row + 0.5) * (box["height"] - 18) / rows)
    page.wait_for_timeout(300)
    page.screenshot(path=path)


def main() -> None:
    """Take the pictures."""
    parser = argparse.ArgumentParser(description="Take the pictures of the README.")
    parser.add_argument("--out", type=Path, default=ROOT / "docs", help="folder of the pictures")
    parser.add_argument("--checkpoints", default=str(ROOT / "checkpoints"), help="folder of the checkpoints")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    browser = find_browser()
    with running_app(arguments.checkpoints) as address, sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        for scheme in ("light", "dark"):
            page = chromium.new_page(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme=scheme)
            page.goto(address)
            page.wait_for_function(ALIVE)
            write(page)
            path = arguments.out / f"write_{scheme}.png"
            picture(page, path)
            Image.open(path).quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)  # half the bytes
            print(path)
        chromium.close()


if __name__ == "__main__":
    main()
