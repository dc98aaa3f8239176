"""
Take pictures of the page in Chromium.

    python scripts/dev/screenshot.py                  the README's: docs/write.png
    python scripts/dev/screenshot.py --all pictures   every tab in light, dark, on a phone and in a lecture

Starts app.py on a free port and ends it; every picture shows a text with a fixed seed.
"""

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from charrnn import script_runner

if __name__ == "__main__":
    script_runner.begin()

from PIL import Image
from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright

from charrnn import flag_types
from charrnn.bench.app_process import running_app
from charrnn.bench.find_browser import find_browser
from charrnn.bench.page_speed import ALIVE
from scripts.dev.visit_tabs import names, open_tab, rest

TEXT = "?seed=11&characters=520&temperature=0.7&top_k=12&top_p=0.95"
WIDE, PHONE = ViewportSize(width=1440, height=900), ViewportSize(width=390, height=844)
LOOKS = {
    "light": (TEXT, WIDE, "light"),
    "dark": (TEXT, WIDE, "dark"),
    "phone": (TEXT, PHONE, "light"),
    "lecture": ("?lecture=1&tab=write", WIDE, "light"),
}

GROWTHS = 4
HEIGHT = "document.documentElement.scrollHeight"
LEAST_CERTAIN = """() => {
    const { record, pictures } = charrnn.live;
    const topProbability = (column) => {
        const logits = record.logitsAfter(pictures.strips.from + column);
        return 1 / logits.reduce((sum, logit) => sum + Math.exp(logit - Math.max(...logits)), 0);
    };
    return Array.from({ length: 24 }, (_, i) => i + 56).sort((a, b) => topProbability(a) - topProbability(b))[0];
}"""


@contextmanager
def opened(browser: Browser, address: str, look: str) -> Iterator[Page]:
    """Open the page in one of its looks, with a finished text."""
    query, size, scheme = LOOKS[look]
    context = browser.new_context(viewport=size, color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
    page = context.new_page()
    page.goto(address + query)
    page.wait_for_function(ALIVE, timeout=90_000)
    yield page
    context.close()


def point_at_a_unit(page: Page) -> None:
    """Color the text by the first named unit; point at an uncertain character."""
    column = page.evaluate(LEAST_CERTAIN)
    box = page.locator(".cr-strips").bounding_box()
    assert box
    x = box["x"] + (column + 0.5) * box["width"] / page.evaluate("charrnn.live.pictures.strips.columns")
    half = page.evaluate("charrnn.live.pictures.strips.rowHeight / charrnn.live.pictures.strips.ratio / 2")
    page.mouse.click(x, box["y"] + half)
    page.wait_for_timeout(300)


def save(page: Page, path: Path) -> None:
    """Save a picture of the viewport, with 256 colors."""
    page.screenshot(path=path)
    Image.open(path).quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)
    print(path)


def whole(page: Page, size: ViewportSize) -> None:
    """Make the window as high as its content, repeatedly, since the content may grow."""
    page.add_style_tag(content="* { content-visibility: visible !important }")
    for _ in range(GROWTHS):
        height = page.evaluate(HEIGHT)
        page.set_viewport_size(ViewportSize(width=size["width"], height=height))
        rest(page)
        if page.evaluate(HEIGHT) == height:
            break
    page.evaluate("window.scrollTo(0, 0)")


def every_tab(browser: Browser, address: str, out: Path) -> None:
    """Save every tab in every look, full page."""
    for look, (_, size, _) in LOOKS.items():
        with opened(browser, address, look) as page:
            for tab in names(page):
                open_tab(page, tab)
                whole(page, size)
                save(page, out / f"{tab.lower().replace(' ', '_')}_{look}.png")
                page.set_viewport_size(size)


def of_readme(browser: Browser, address: str, out: Path) -> None:
    """Save the picture of the README."""
    with opened(browser, address, "light") as page:
        point_at_a_unit(page)
        save(page, out / "write.png")


def main() -> None:
    """Take the pictures."""
    parser = argparse.ArgumentParser(description="Take pictures of the page in Chromium.")
    parser.add_argument("--out", type=flag_types.path, default=ROOT / "docs", help="folder of the README's picture")
    parser.add_argument(
        "--all", type=flag_types.path, metavar="FOLDER", help="every tab in every look instead, into this folder"
    )
    parser.add_argument(
        "--checkpoints",
        type=flag_types.name_or_path,
        default=str(ROOT / "checkpoints"),
        help="folder of the checkpoints",
    )
    arguments = parser.parse_args()
    out = arguments.all or arguments.out
    out.mkdir(parents=True, exist_ok=True)
    path = find_browser()
    with running_app(arguments.checkpoints) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        (every_tab if arguments.all else of_readme)(browser, address, out)
        browser.close()


if __name__ == "__main__":
    sys.exit(script_runner.run(main))
