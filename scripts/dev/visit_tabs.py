"""Visit every tab of the page in a browser, every part opened and at rest."""

from collections.abc import Iterator

from playwright.sync_api import Page

PATIENCE = 90_000  # ms: the first visit measures

WAITS_FOR = """() => {
    const seen = (element) => element.checkVisibility(); // false within a closed <details>
    const words = [...document.querySelectorAll(".cr-plot-words, .cr-answer")].filter(seen);
    const waiting = words.find((each) => each.textContent.includes("…")) || document.querySelector(".cr-busy");
    const plots = [...document.querySelectorAll(".cr-plot")].filter(seen);
    const bare = plots.find((each) => !each.querySelector(".main-svg"));
    const found = waiting || bare;
    found?.scrollIntoView({ block: "center" }); // some views load only when visible
    const { live, state } = charrnn;
    if (found) return [found.closest("[id]")?.id, found.className, found.textContent.slice(0, 80)].join(" ");
    return state === "writing" || live.drawn !== live.received ? [state, live.drawn, live.received].join(" ") : "";
}"""
AT_REST = f"() => !({WAITS_FOR})()"
UNFOLD = """() => {
    const folded = [...document.querySelectorAll("details:not([open])")].filter((each) => each.offsetParent !== null);
    for (const each of folded) each.open = true;
    const runnersUp = document.querySelector('.cr-runners-up[aria-pressed="false"]');
    if (runnersUp?.offsetParent) runnersUp.click();
}"""


def names(page: Page) -> list[str]:
    """Return the tab names, from the left."""
    return [name.strip() for name in page.get_by_role("tab").all_text_contents()]


def rest(page: Page) -> None:
    """Wait until nothing is being generated, measured or drawn."""
    for _ in range(2):
        page.wait_for_timeout(200)  # views that become visible or change their width send a request
        page.wait_for_function(AT_REST, timeout=PATIENCE, polling=100)


def open_tab(page: Page, name: str) -> None:
    """Open a tab and wait until it is at rest."""
    page.get_by_role("tab", name=name, exact=True).click()
    rest(page)
    page.evaluate("window.scrollTo(0, 0)")


def unfold(page: Page) -> None:
    """Open all folded parts of the open tab and the sidebar."""
    page.evaluate(UNFOLD)
    rest(page)
    page.evaluate("window.scrollTo(0, 0)")


def tour(page: Page) -> Iterator[str]:
    """Open each tab in turn and unfold it."""
    for name in names(page):
        open_tab(page, name)
        unfold(page)
        yield name
