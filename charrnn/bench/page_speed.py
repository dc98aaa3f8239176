"""
Measure the page in a real Chromium: `python scripts/bench.py page`.

Starts app.py on a free port. Measures, with the network in the page: frames per second of each network and lost columns
at 60 characters/s; the time from a click on Write to the first character on the screen, from a slider event to the
redrawn distribution, and from another training step to its states of 400 characters; the server's CPU time for
pages that write and for idle ones; and the start time and memory of the app compared with an empty Gradio page. Nothing
is asserted; run it on a quiet machine.
"""

import argparse
import json
import os
import statistics
import time
from collections.abc import Sequence
from pathlib import Path

import httpx
from playwright.sync_api import Browser, Page, sync_playwright

from charrnn.bench.app_process import serving
from charrnn.bench.find_browser import find_browser
from charrnn.flag_types import SECONDS, name_or_path
from charrnn.paths import CHECKPOINTS
from charrnn.profiling import resident_bytes
from charrnn.ui.server.checkpoint_store import Store

ALIVE = "() => window.charrnn?.live?.received > 0 && charrnn.live.drawn === charrnn.live.received"
SPEED_20, SPEED_60, UNLIMITED = "4", "6", "8"  # positions of the slider of characters per second
STARTS = 5
PAGES = 20
BARE = """
import sys, torch, gradio
with gradio.Blocks() as demo:
    pass
demo.launch(server_port=int(sys.argv[1]), ssr_mode=False, quiet=True)
"""
GOALS = {
    "slowest_frames_per_second": "≥ 97 % of an empty loop",
    "slider_to_character_p95_ms": "≤ 150",
    "lost_columns": "0",
    "first_character_p95_ms": "≤ 100",
    "redraw_p95_ms": "≤ 5",
    "reread_p95_ms": "≤ 100",
    "server_cpu_writing_ms": "as idle",
    "start_over_bare": "≤ 1.25",
    "memory_over_bare_mb": "≤ 150",
}


def percentile_95(values: list[float]) -> float:
    """Return the 95th percentile."""
    return sorted(values)[max(0, -(-95 * len(values) // 100) - 1)]


def start_writing(page: Page, characters: int, speed: str = SPEED_60) -> None:
    """Start a text and wait for its first character."""
    page.locator("#cr-speed").fill(speed)
    page.locator("#cr-characters").evaluate("(input, characters) => (input.value = characters)", characters)
    page.locator('[data-action="write"]').click()
    page.wait_for_function("charrnn.state === 'writing' && charrnn.stats.firstCharacterMs !== null")


def frames(page: Page, seconds: float) -> tuple[float, int, int]:
    """Generate at 60 characters/s -> frames per second, columns sent, columns lost."""
    start_writing(page, 2000)
    page.wait_for_timeout(500)
    before = page.evaluate("[charrnn.stats.frames, performance.now()]")
    page.wait_for_timeout(1000 * seconds)
    after = page.evaluate("[charrnn.stats.frames, performance.now()]")
    page.locator('[data-action="stop"]').click()
    page.wait_for_timeout(500)
    sent, drawn = page.evaluate("[charrnn.live.received, charrnn.live.drawn]")
    return 1000 * (after[0] - before[0]) / (after[1] - before[1]), sent, sent - drawn


COUNT_FRAMES = """(ms) => new Promise((done) => {
    const began = performance.now();
    let frames = 0;
    const frame = (now) => (now - began < ms ? ((frames += 1), requestAnimationFrame(frame)) : done(frames));
    requestAnimationFrame(frame);
})"""


def slider_to_character(page: Page, moves: int) -> list[float]:
    """Return the milliseconds from a temperature change to the first new character."""
    start_writing(page, 3000)
    times = page.evaluate(
        """async (moves) => {
            const slider = document.querySelector("#cr-temperature");
            const frame = () => new Promise(requestAnimationFrame);
            const { record } = charrnn.live;
            const branch = record.branch.bind(record);
            let dropped = false; // what was ahead has been replaced
            record.branch = (message) => {
                dropped = true;
                branch(message);
            };
            const times = [];
            for (let i = 0; i < moves; i++) {
                await new Promise((done) => setTimeout(done, 500));
                const began = performance.now();
                dropped = false;
                slider.value = 0.5 + 0.01 * (i % 50);
                slider.dispatchEvent(new Event("input", { bubbles: true }));
                while (!dropped) await frame();
                const drawn = charrnn.live.drawn;
                while (charrnn.live.drawn === drawn) await frame();
                times.push(performance.now() - began);
            }
            return times;
        }""",
        moves,
    )
    page.locator('[data-action="stop"]').click()
    return times


def first_characters(page: Page, clicks: int) -> list[float]:
    """Return the milliseconds from each click on Write to the first character."""
    times = []
    page.locator("#cr-characters").evaluate("(input) => (input.value = 5)")
    for _ in range(clicks):
        page.locator('[data-action="write"]').click()
        page.wait_for_function("charrnn.stats.firstCharacterMs !== null && charrnn.state === 'finished'")
        times.append(page.evaluate("charrnn.stats.firstCharacterMs"))
        page.wait_for_timeout(150)
    return times


def redraws(page: Page, moves: int) -> list[float]:
    """Return the milliseconds from a slider event to the redrawn distribution."""
    return page.evaluate(
        """async (moves) => {
            const slider = document.querySelector("#cr-temperature");
            const times = [];
            for (let i = 0; i < moves; i++) {
                await new Promise((done) => setTimeout(done, 30));
                const began = performance.now();
                slider.value = 0.3 + 0.01 * i;
                slider.dispatchEvent(new Event("input", { bubbles: true }));
                document.querySelector(".cr-likely").getBoundingClientRect(); // layout done; the next frame shows it
                times.push(performance.now() - began);
            }
            return times;
        }""",
        moves,
    )


def rereads(page: Page, moves: int) -> list[float]:
    """Return the milliseconds from a change of the step to 400 drawn characters."""
    page.locator("#cr-speed").fill(UNLIMITED)
    page.locator("#cr-again").uncheck()
    page.locator("#cr-characters").evaluate("(input) => (input.value = 400)")
    page.locator('[data-action="write"]').click()
    page.wait_for_function("charrnn.state === 'finished' && charrnn.live.drawn >= 400")
    times = page.evaluate(
        """async (moves) => {
            const slider = document.querySelector("#cr-step");
            const frame = () => new Promise(requestAnimationFrame);
            const last = Number(slider.max);
            const times = [];
            for (let i = 0; i < moves; i++) {
                const { record } = charrnn.live;
                slider.value = i % 2 ? last : last - 1;
                const began = performance.now();
                slider.dispatchEvent(new Event("input", { bubbles: true }));
                slider.dispatchEvent(new Event("change", { bubbles: true }));
                const settled = () => charrnn.live.record !== record && charrnn.state === "finished";
                while (!settled() || charrnn.live.drawn < charrnn.live.received) await frame();
                times.push(performance.now() - began);
                await new Promise((done) => setTimeout(done, 500));
            }
            return times;
        }""",
        moves,
    )
    return times[4:]  # the first ones fetch the networks


def cpu_seconds(pid: int) -> float:
    """Return the processor time that a process has used; Linux only."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def server_cpu(chromium: Browser, address: str, pid: int, seconds: float) -> dict[str, float]:
    """Measure the server's CPU ms per page and second: idle pages, then writing ones."""
    pages = [open_lab(chromium, address) for _ in range(PAGES)]
    used = {}
    for state in ("idle", "writing"):
        for page in pages if state == "writing" else ():
            start_writing(page, 3000, SPEED_20)
        before = cpu_seconds(pid)
        time.sleep(seconds)
        used[f"server_cpu_{state}_ms"] = 1000 * (cpu_seconds(pid) - before) / seconds / PAGES
    written = [page.evaluate("charrnn.live.drawn") for page in pages]
    for page in pages:
        page.close()
    return used | {"characters_of_slowest_page": min(written)}


def open_lab(chromium: Browser, address: str, name: str = "rnn") -> Page:
    """Open the page on a network and wait until the page runs it."""
    page = chromium.new_page(viewport={"width": 1440, "height": 900})
    page.set_default_timeout(120_000)
    page.goto(f"{address}?model={name}")
    page.wait_for_function(ALIVE)
    page.wait_for_function("charrnn.runner?.engine")
    return page


def measure(checkpoints: str, seconds: float) -> dict[str, float]:
    """Measure all figures."""
    browser = find_browser()
    with serving(["app.py", "--checkpoints", checkpoints, "--port"], HF_HUB_OFFLINE="1") as (address, pid):
        with sync_playwright() as playwright:
            chromium = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
            page = open_lab(chromium, address)
            empty = chromium.new_page(viewport={"width": 1440, "height": 900})
            frames_of_empty_loop = empty.evaluate(COUNT_FRAMES, 3000) / 3
            empty.close()
            rates = {}
            for info in Store(Path(checkpoints)).checkpoints():
                other = open_lab(chromium, address, info.name)
                rates[info.name] = frames(other, seconds)
                other.close()
            slider_ms = slider_to_character(page, 20)
            first_ms = first_characters(page, 20)
            redraw_ms = redraws(page, 100)
            reread_ms = rereads(page, 24)
            page.close()
            used = server_cpu(chromium, address, pid, seconds)
            chromium.close()
    return {
        **{f"frames_per_second_{name}": rate for name, (rate, _, _) in rates.items()},
        "slowest_frames_per_second": min(rate for rate, _, _ in rates.values()),
        "frames_of_an_empty_loop": frames_of_empty_loop,
        "slider_to_character_p95_ms": percentile_95(slider_ms),
        "columns_sent": sum(sent for _, sent, _ in rates.values()),
        "lost_columns": sum(lost for _, _, lost in rates.values()),
        "first_character_median_ms": sorted(first_ms)[len(first_ms) // 2],
        "first_character_p95_ms": percentile_95(first_ms),
        "redraw_median_ms": sorted(redraw_ms)[len(redraw_ms) // 2],
        "redraw_p95_ms": percentile_95(redraw_ms),
        "reread_median_ms": statistics.median(reread_ms),
        "reread_p95_ms": percentile_95(reread_ms),
        **used,
        **cost(checkpoints),
    }


def load_all(address: str, checkpoints: str) -> None:
    """Generate a few characters with every checkpoint."""
    for info in Store(Path(checkpoints)).checkpoints():
        request = {"checkpoint": {"name": info.name}, "count": 20}
        httpx.post(f"{address}gradio_api/run/continue_text", json={"data": [request]}, timeout=60, trust_env=False)


def cost(checkpoints: str) -> dict[str, float]:
    """Measure start time and memory of the app and of an empty Gradio page with torch."""
    bare, app = ["-c", BARE], ["app.py", "--checkpoints", checkpoints, "--port"]
    quiet = {"HF_HUB_OFFLINE": "1", "GRADIO_ANALYTICS_ENABLED": "False"}
    times: dict[str, list[float]] = {"bare": [], "app": []}
    memory = {}
    for _ in range(STARTS):
        for name, words in (("bare", bare), ("app", app)):
            began = time.perf_counter()
            with serving(words, **quiet) as (address, pid):
                times[name].append(time.perf_counter() - began)
                if name == "app" and name not in memory:
                    load_all(address, checkpoints)
                memory.setdefault(name, resident_bytes(pid))
    start = {name: statistics.median(each) for name, each in times.items()}
    figures = {"start_s": start["app"], "bare_start_s": start["bare"], "start_over_bare": start["app"] / start["bare"]}
    if memory["app"] and memory["bare"]:
        figures["memory_over_bare_mb"] = (memory["app"] - memory["bare"]) / 1e6
    return figures


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the figures and return the exit code."""
    parser = argparse.ArgumentParser(description="Measure the page in a real Chromium.")
    parser.add_argument("--checkpoints", type=name_or_path, default=str(CHECKPOINTS), help="folder of the checkpoints")
    parser.add_argument("--seconds", type=SECONDS, default=10, help="of writing at 60 characters/s (%(default)s)")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    options = parser.parse_args(arguments)
    figures = measure(options.checkpoints, options.seconds)
    if options.json:
        print(json.dumps(figures))
        return 0
    for name, value in figures.items():
        print(f"{name.replace('_', ' '):34} {value:8.2f}   {GOALS.get(name, '')}")
    return 0
