"""Visit every tab of the page in a browser, every part opened and at rest."""

from collections.abc import Iterator

from playwright.sync_api import Page

PATIENCE = 90_000  # ms: the first visit measures

AT_REST = """() => {
    const seen = (element) => element.offsetParent !== null;
    const words = [...document.querySelectorAll(".cr-plot-words, .cr-answer")].filter(seen);
    const waiting = words.find((each) => each.textContent.includes("…")) || document.querySelector(".cr-busy");
    const plots = [...document.querySelectorAll(".cr-plot")].filter(seen);
    const bare = plots.find((each) => !each.querySelector(".main-svg"));
    (waiting || bare)?.scrollIntoView({ block: "center" }); // some ask only when they come into sight
    const { live, state } = charrnn;
    return !waiting && !bare && state !== "writing" && live.drawn === live.received;
}"""
UNFOLD = """() => {
    const folded = [...document.querySelectorAll("details:not([open])")].filter((each) => each.offsetParent !== null);
    for (const each of folded) each.open = true;
    const ladder = document.querySelector('.cr-ladder[aria-pressed="false"]');
    if (ladder?.offsetParent) ladder.click();
}"""


def names(page: Page) -> list[str]:
    """The tabs, from the left."""
    return [name.strip() for name in page.get_by_role("tab").all_text_contents()]


def rest(page: Page) -> None:
    """Wait until nothing is written, measured or drawn any more."""
    for _ in range(2):
        page.wait_for_timeout(200)  # who has just come into sight, or changed its width, begins to ask
        page.wait_for_function(AT_REST, timeout=PATIENCE, polling=100)


def open_tab(page: Page, name: str) -> None:
    """Open a tab and wait for what it shows."""
    page.get_by_role("tab", name=name, exact=True).click()
    rest(page)
    page.evaluate("window.scrollTo(0, 0)")


def unfold(page: Page) -> None:
    """Open whatever is folded in the tab that is open, and in the left column."""
    page.evaluate(UNFOLD)
    rest(page)
    page.evaluate("window.scrollTo(0, 0)")


def tour(page: Page) -> Iterator[str]:
    """Every tab in turn, all of it unfolded."""
    for name in names(page):
        open_tab(page, name)
        unfold(page)
        yield name
