"""The page counts code points, and a form never reloads it."""

from playwright.sync_api import BrowserContext, Page, expect

from tests.ui.conftest import open_page


def test_pattern_error_mark_counts_code_points(page: Page):
    page.get_by_role("tab", name="Neurons").click()
    expect(page.locator("#cr-units .cr-plot-words")).not_to_have_text("Reading …")  # its script is loaded
    form = page.locator("#cr-units form")
    form.get_by_text("Use another text").click()
    form.locator("[name=text]").fill("To be, or not to be: that is the question.\n" * 12)
    form.locator("[name=pattern]").fill("😀😀(b")
    form.locator("[name=pattern]").press("Enter")
    error = page.locator("#cr-units .cr-pattern-error")
    error.wait_for()
    assert error.locator("mark").text_content() == "(" and error.locator("code").text_content() == "😀😀(b"


def test_first_difference_of_texts_counts_code_points(page: Page, app: str):
    shown = page.evaluate(
        """async (module) => {
            const { createTextPair } = await import(module);
            const box = document.createElement("div");
            createTextPair(box)({ texts: ["a😀b", "a😀cd"], prompt: "😀", divergence: { at: 2 } }, ["A", "B"]);
            return [...box.querySelectorAll(".cr-written > *")].map((part) => part.textContent);
        }""",
        f"{app}charrnn/components/text_pair.js",
    )
    assert shown == ["😀", "a😀", "b", "", "😀", "a😀", "c", "d"]


def test_form_submitted_before_its_script_loads_stays(context: BrowserContext, app: str):
    context.route("**/neurons/leaderboard.js", lambda route: None)
    page = open_page(context, app)
    page.get_by_role("tab", name="Neurons").click()
    page.locator("#cr-units [name=pattern]").press("Enter")
    assert page.evaluate("new Promise((done) => setTimeout(() => done(location.href), 300))") == app
