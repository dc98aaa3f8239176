"""Server and page count places in a text in code points: emoji and combining marks are characters."""

from playwright.sync_api import BrowserContext, Page, expect

from charrnn.invisible_chars import sign
from tests.ui.conftest import open_page

TEXT = "a😀e\u0301👩‍👧\n😀b"  # 1 + 1 + 2 + 3 + 1 + 1 + 1 code points


def test_divergence_mark_counts_code_points(page: Page):
    found = page.evaluate(
        """async (text) => {
            const { createTextPair } = await import("/charrnn/components/text_pair.js");
            const { figure } = await import("/charrnn/lecture/lecture.js");
            return Array.from(text, (_, at) => {
                const box = document.createElement("div");
                createTextPair(box)({ texts: [text, text], prompt: "😀", divergence: { at } }, ["A", "B"]);
                const part = (name) => box.querySelector(name).textContent;
                const other = figure(["title", text, at]).querySelector("b");
                const whole = other.parentElement.textContent;
                return {
                    parts: [part(".cr-common"), part("mark"), part(".cr-after")],
                    title: box.querySelector("mark").title,
                    scene: [whole.slice(0, whole.length - other.textContent.length), other.textContent],
                };
            });
        }""",
        TEXT,
    )
    assert [one["parts"] for one in found] == [[TEXT[:i], TEXT[i], TEXT[i + 1 :]] for i in range(len(TEXT))]
    assert [one["scene"] for one in found] == [[TEXT[:i], TEXT[i:]] for i in range(len(TEXT))]
    assert [one["title"] for one in found] == [f"here they part: {sign(c)}" for c in TEXT]


def test_pattern_error_mark_counts_code_points(page: Page):
    page.get_by_role("tab", name="Neurons").click()
    expect(page.locator("#cr-units .cr-plot-words")).not_to_have_text("Reading …")  # its script has loaded
    form = page.locator("#cr-units form")
    form.locator("[name=text]").fill("To be, or not to be: that is the question.\n" * 12)
    form.locator("[name=pattern]").fill("😀😀(b")
    form.locator("[name=pattern]").press("Enter")
    wrong = page.locator("#cr-units .cr-pattern-error")
    wrong.wait_for()
    assert wrong.locator("mark").text_content() == "(" and wrong.locator("code").text_content() == "😀😀(b"


def test_form_submitted_before_its_script_loads_stays(context: BrowserContext, app: str):
    context.route("**/neurons/leaderboard.js", lambda route: None)
    page = open_page(context, app)
    page.get_by_role("tab", name="Neurons").click()
    page.locator("#cr-units [name=pattern]").press("Enter")
    assert page.evaluate("new Promise((done) => setTimeout(() => done(location.href), 300))") == app


def test_text_record_counts_code_points(page: Page):
    columns, logits = [0.0, -0.0625, 1.0, -3.14], [0, 1, 2, 3, 4, 5]
    found = page.evaluate(
        """async (more) => {
            const { TextRecord } = await import("/charrnn/components/text_record.js");
            const view = { name: "c", rows: 2, low: -4, high: 4, change: 8, bounded: false, orders: {} };
            const model = { characters: "a😀b" };
            const record = new TextRecord({ run: 1, model, view, prompt: 0, startLogits: [0, 0, 0], startDraw: null });
            record.append(more);
            return [record.vocabulary, record.characters, [0, 1].map((i) => [...record.logitsAfter(i)])];
        }""",
        {"from": 0, "text": "😀b", "columns": columns, "logits": logits, "draws": [0.5, None]},
    )
    assert found == [["a", "😀", "b"], ["😀", "b"], [[0, 1, 2], [3, 4, 5]]]
