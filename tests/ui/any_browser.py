"""Actions on the page in any browser by JavaScript alone: `run(body)` -> JSON."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from scripts.dev.visit_tabs import AT_REST, UNFOLD, WAITS_FOR

Run = Callable[[str], Any]
HELPERS = """
    const $ = (selector) => document.querySelector(selector);
    const set = (name, value) => {
        $("#cr-" + name).value = value;
        $("#cr-" + name).dispatchEvent(new Event("input", { bubbles: true }));
    };
"""
IS_IDLE = "charrnn.state === 'finished' && charrnn.live.drawn === charrnn.live.received"
# Unfolds the open tab -> the captions of its views; null while one of them is waited for.
CAPTIONS = f"""
    ({UNFOLD})();
    const panel = [...document.querySelectorAll("[role=tabpanel]")].find((each) => each.clientWidth);
    return ({AT_REST})() ? [...panel.querySelectorAll(".cr-plot-words")].map((each) => each.textContent) : null;
"""


def until(run: Run, condition: str, seconds: float = 90) -> Any:
    """
    Wait until an expression is true in the page -> its value.

    Playwright's wait_for_function evaluates text in the page, which the static page's policy forbids.
    """
    deadline = time.monotonic() + seconds
    value: Any = None
    while time.monotonic() < deadline:
        try:
            if value := run(f"return {condition}"):
                return value
        except RuntimeError as error:  # between two pages
            value = error
        time.sleep(0.05)
    raise AssertionError(f"{condition} is {value} after {seconds:g} s")


def act(run: Run, *statements: str) -> Any:
    """Run statements that use HELPERS."""
    return run(HELPERS + ";\n".join(statements))


def wait_for_text(run: Run) -> str:
    """Wait for the page's first text, whole."""
    until(run, f"window.charrnn?.live?.received > 0 && {IS_IDLE}")
    return text(run)


def text(run: Run) -> str:
    """Return the text in the document."""
    return run("return [...document.querySelectorAll('.cr-line span')].map((span) => span.textContent).join('')")


def write(run: Run, prompt: str, seed: int, characters: int) -> str:
    """Press Write and wait for the end -> the whole text."""
    values = {"speed": 8, "prompt": prompt, "seed": seed, "characters": characters}
    act(run, *(f"set({json.dumps(name)}, {json.dumps(value)})" for name, value in values.items()))
    until(run, "charrnn.state !== 'writing'")  # another network or step rewrites the text
    before = run("return charrnn.live.record.run")
    act(run, "$('[data-action=write]').click()")
    until(run, f"charrnn.live.record.run > {before} && {IS_IDLE}")
    return text(run)


def branch(run: Run, position: int, place: int) -> tuple[str, str]:
    """Choose a candidate at a position and wait -> the character, the whole text."""
    act(run, f"document.querySelectorAll('.cr-line span')[{position - 1}].click()")
    until(run, f"charrnn.live.cursor === {position - 1} && document.querySelector('.cr-likely tr')")
    character = act(
        run,
        f"const row = [...document.querySelectorAll('.cr-likely tr')].filter((row) => row.clientWidth)[{place}]",
        "row.click()",
        "return charrnn.live.record.vocabulary[row.dataset.id]",
    )
    chosen = f"[at, character]) => at === {position} - charrnn.live.record.prompt"
    until(run, f"charrnn.live.record.edits.some(({chosen} && character === {json.dumps(character)}) && {IS_IDLE}")
    return character, text(run)


def undo(run: Run, shown: str) -> str:
    """Undo and wait until the text is another one -> the text."""
    act(run, "$('[data-do=undo]').click()")
    until(run, f"{IS_IDLE} && charrnn.live.text !== {json.dumps(shown)}")
    return text(run)


def open_tab(run: Run, name: str) -> list[str]:
    """Open a tab, unfold it and wait until it is at rest -> the captions of its views."""
    act(run, f"[...document.querySelectorAll('[role=tab]')].find((tab) => tab.textContent.trim() === {name!r}).click()")
    found: list[Any] = [None]
    deadline = time.monotonic() + 90
    while found[-1] is None or found[-4:] != [found[-1]] * 4:  # views that become visible send a query
        assert time.monotonic() < deadline, f"{name} waits for {run(f'return ({WAITS_FOR})()')}: {found[-1]}"
        time.sleep(0.1)
        found.append(run(CAPTIONS))
    return found[-1]


def tab_names(run: Run) -> list[str]:
    """Return the tab names, from the left."""
    return run("return [...document.querySelectorAll('[role=tab]')].map((tab) => tab.textContent.trim())")


@dataclass(frozen=True)
class Visit:
    """
    A visit of a page: first text, written text, a branch of it, captions of tabs.

    chosen: the character at BRANCH and the text from it on. undone: the text after Undo.
    """

    opened: str
    written: str
    chosen: tuple[str, str]
    undone: str
    captions: dict[str, list[str]]


PROMPT, SEED, CHARACTERS = "JULIET:\n", 11, 120
BRANCH, PLACE = 40, 3


def visit(run: Run) -> Visit:
    """Write, branch, undo, then open every tab of the page that has been opened."""
    opened = wait_for_text(run)
    written = write(run, PROMPT, SEED, CHARACTERS)
    chosen = branch(run, BRANCH, PLACE)
    undone = undo(run, chosen[1])
    return Visit(opened, written, chosen, undone, {name: open_tab(run, name) for name in tab_names(run)})
