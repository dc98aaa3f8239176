"""Copy link and Copy as Python reproduce the text; a link also the settings."""

import io
import tempfile
from contextlib import chdir, redirect_stdout
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from charrnn.checkpoint import Checkpoint, load
from charrnn.sampling import SamplingSettings
from tests.ui.conftest import CHECKPOINTS, open_page
from tests.ui.page_actions import (
    choose,
    generated,
    open_options,
    press,
    set_slider,
    set_speed,
    show_view,
    start_writing,
    text,
    use_text,
    write,
)

PROMPT = 'O "Juliet" \\n\n\'tis & = + <b>:'  # special in an address or in Python


@pytest.fixture(autouse=True)
def clipboard(context: BrowserContext) -> None:
    context.grant_permissions(["clipboard-read", "clipboard-write"])


def copied(page: Page, action: str) -> str:
    press(page, action)
    expect(page.locator(".cr-share-status")).to_contain_text("copied")
    return page.evaluate("navigator.clipboard.readText()")


def query(link: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(link).query).items()}


def run(snippet: str) -> str:
    """The output of a snippet, run outside of the repository."""
    with chdir(tempfile.gettempdir()), redirect_stdout(io.StringIO()) as out:
        exec(snippet, {})
    return out.getvalue()


@pytest.mark.smoke
def test_link_and_snippet_reproduce_the_text(context: BrowserContext, app: str):
    page = open_page(context, app + "?model=rnn")
    set_speed(page, 0)
    choose(page, "lstm")
    show_view(page, "c")
    for name, value in (("temperature", 1.15), ("top_k", 30), ("top_p", 0.95), ("min_p", 0.02)):
        page.evaluate("document.querySelector('.cr-more').open = true")
        set_slider(page, name, value)
    open_options(page)
    page.locator(".cr-change").click()
    page.get_by_role("button", name="by activity").click()
    page.evaluate("charrnn.emit('color-by-unit', { unit: 13, position: 3 })")
    first = write(page, seed=11, characters=90, prompt=PROMPT)

    link = copied(page, "link")
    # without a warning, though the prompt was shortened
    assert page.locator(".cr-share-status").inner_text() == "Link copied."
    trained = load(CHECKPOINTS / "lstm")
    known = trained.vocab.drop_unknown(PROMPT)[0]
    assert query(link) == {
        "model": "lstm",
        "temperature": "1.15",
        "top_k": "30",
        "top_p": "0.95",
        "min_p": "0.02",
        "speed": "0",
        "seed": "11",
        "characters": "90",
        "prompt": PROMPT,
        "view": "c",
        "color": "c:13",
        "change": "1",
        "rows": "activity",
        "sha": trained.info.sha256[:12],
    }
    assert first == generated(trained, known, 90, 11, SamplingSettings(1.15, 30, 0.95, 0.02))
    assert run(copied(page, "python")) == first

    other = open_page(context, link)
    assert text(other) == first
    assert other.evaluate("[charrnn.live.record.view.name, charrnn.live.map.change]") == ["c", True]
    expect(other.locator(".cr-coloring [aria-pressed=true]")).to_have_text("unit 13")
    expect(other.locator(".cr-orders [data-value=activity]")).to_have_attribute("aria-pressed", "true")
    assert other.locator("#cr-prompt").input_value() == PROMPT and other.locator("#cr-seed").input_value() == "11"
    assert copied(other, "link") == link
    assert write(other) == first  # the form has the same settings


def test_link_says_if_it_cannot_reproduce_the_text(context: BrowserContext, app: str):
    page = open_page(context, app + "?model=rnn")
    address = copied(page, "link")
    assert set(query(address)) == {"model", "sha"}
    assert page.locator(".cr-share-status").inner_text() == "Link copied."
    set_speed(page, 30)
    start_writing(page, at_least=10, characters=300, seed=4)
    set_slider(page, "temperature", 1.4)
    press(page, "write")
    page.wait_for_function("charrnn.state === 'paused' && charrnn.live.drawn === charrnn.live.received")
    assert "characters=300" in copied(page, "link")
    expect(page.locator(".cr-share-status")).to_contain_text("the copy will give a different text")
    press(page, "stop")
    first = write(page, characters=40)
    assert page.locator(".cr-share-status").get_attribute("role") == "status"
    assert run(copied(page, "python")) == first
    assert page.locator(".cr-share-status").inner_text() == "Python copied."


def test_link_names_what_it_does_not_carry(context: BrowserContext, trained_app: str):
    page = open_page(context, trained_app)
    copied(page, "link")
    assert page.locator(".cr-share-status").inner_text() == "Link copied."
    names = []

    def expect_also(name: str) -> None:
        names.append(name)
        copied(page, "link")
        said = page.locator(".cr-share-status").inner_text()
        assert "does not carry" in said and [part for part in names if part not in said] == []

    page.get_by_role("tab", name="Gradients").click()
    use_text(page, "To be, or not to be. " * 20)
    expect_also("the text of “How far back does learning reach?”")
    page.get_by_text("Choose the networks and the text").click()
    page.locator("#cr-where textarea").fill("To be, or not to be")
    page.locator("#cr-where [type=submit]").click()
    expect_also("the text of “Which letters mattered for this one?”")
    page.get_by_role("tab", name="Neurons").click()
    page.locator("#cr-units [name=pattern]").fill("th")
    page.get_by_role("button", name="Test it").click()
    expect(page.locator("#cr-units .cr-card").first).to_contain_text("your pattern: th")
    expect_also("the pattern of “Which unit learnt what?”")
    page.get_by_role("tab", name="Compare").click()
    expect(page.locator("#cr-results .js-plotly-plot")).to_be_visible()  # its views have loaded
    page.locator("#cr-training summary").click()
    page.locator("#cr-training [value=bits] + span").click()
    expect_also("the options of “How they learnt”")
    page.get_by_role("tab", name="Under the hood").click()
    expect(page.locator(".cr-hood-code > *").first).to_be_visible()
    page.locator(".cr-hood-unit").fill("1")
    expect_also("the unit and block of Under the hood")
    copied(page, "python")
    assert page.locator(".cr-share-status").inner_text() == "Python copied."  # of the text alone


def test_link_carries_edits(context: BrowserContext, app: str, checkpoint: Checkpoint):
    page = open_page(context, app + "?characters=60&edits=5:%0A,20:,,30:%22")
    chosen = {at: checkpoint.vocab.ids[character] for at, character in {5: "\n", 20: ","}.items()}  # no "
    assert text(page) == generated(checkpoint, "ROMEO:\n", 60, 7, chosen=chosen)
    link = copied(page, "link")
    assert query(link)["edits"] == "5:\n,20:,"
    assert run(copied(page, "python")) == text(page) == text(open_page(context, link))


def test_refused_clipboard_selects_the_text(page: Page):
    page.evaluate("navigator.clipboard.writeText = () => Promise.reject(new Error()), 0")
    press(page, "link")
    area = page.get_by_label("to copy")
    expect(area).to_be_focused()
    assert page.evaluate("document.activeElement.selectionEnd") == len(area.input_value()) > 20
    assert "model=rnn&sha=" in area.input_value()
    expect(page.locator(".cr-share-status")).to_contain_text("blocked copying")
    page.locator(".cr-copied button").click()
    expect(area).to_be_hidden()
    page.locator("#cr-seed").evaluate("(box) => { box.value = -3; }")
    press(page, "python")
    expect(page.locator("#cr-seed")).to_be_visible()  # the browser shows the error at the box
    expect(area).to_be_hidden()


def test_invalid_link_opens_with_notice_and_defaults(context: BrowserContext, app: str):
    script = "<img src=x onerror=document.title='hit'>"
    asked = "model=nobody&temperature=NaN&seed=1e99&characters=0.5&sha=00000000&prompt=" + script
    page = open_page(context, f"{app}?{asked}&tab=compare&colour={script}")
    expect(page.get_by_role("tab", name="Compare")).to_have_attribute("aria-selected", "true")
    expect(page.locator(".cr-notice")).to_be_visible()
    said = page.locator(".cr-notice span").text_content() or ""
    for part in ("'nobody'", "temperature is nan", "seed is 1e+99", "characters is 0.5"):
        assert part in said, part
    assert "another checkpoint 'rnn'" in said and "colour" not in said
    assert page.locator("#cr-prompt").input_value() == script and page.title() == "Char-RNN Lab"
    assert page.evaluate("charrnn.checkpoint.name") == "rnn" and page.evaluate("charrnn.settings.temperature") == 0.8
    assert page.locator(".gradio-container img[src=x]").count() == 0


def test_link_carries_read_text_and_its_continuation(context: BrowserContext, app: str):
    page = open_page(context, app + "?model=rnn")
    set_speed(page, 0)
    passage = "To be, or not to be: that is the question:\nWhether 'tis nobler & so on\n"
    page.evaluate("document.querySelector('.cr-reading').open = true")
    page.locator("#cr-passage").fill(passage)
    press(page, "read")
    page.wait_for_function("text => charrnn.live.text === text", arg=passage)
    link = copied(page, "link")
    assert page.locator(".cr-share-status").inner_text() == "Link copied."
    assert query(link)["read"] == passage and not {"characters", "prompt", "color"} & set(query(link))
    other = open_page(context, link)
    assert text(other) == passage and other.evaluate("charrnn.live.record.prompt") == len(passage)
    assert other.locator("#cr-passage").input_value() == passage
    assert copied(other, "link") == link
    other.locator("#cr-characters").evaluate("(box) => { box.value = 50; }")
    press(other, "write")
    other.wait_for_function("charrnn.state === 'finished' && charrnn.live.drawn === charrnn.live.record.length")
    link = copied(other, "link")
    assert query(link)["characters"] == str(len(text(other)) - len(passage))
    assert text(open_page(context, link)) == text(other) == run(copied(other, "python"))
    page.locator("#cr-passage").fill("O!\n&" * 1200)  # eight characters each in a link
    press(page, "read")
    page.wait_for_function("charrnn.live.text.length > 4000")
    press(page, "link")
    expect(page.locator(".cr-share-status")).to_contain_text("too long for a link")


def test_link_carries_rows_selection_and_lecture(context: BrowserContext, app: str):
    page = open_page(context, app + "?lecture=1&scene=2&hide=min_p,speed&temperature=0.9&tick=gru,lstm")
    page.get_by_role("button", name="Whole lab").click()
    open_options(page)
    page.locator(".cr-first-row").fill("13")
    page.locator(".cr-last-row").fill("40")
    page.locator(".cr-last-row").press("Enter")
    link = copied(page, "link")
    expected = {"lecture": "1", "scene": "2", "hide": "min_p,speed", "temperature": "0.9", "tick": "gru,lstm"}
    assert query(link).items() >= {**expected, "range": "13-40", "tab": "write", "characters": "400"}.items()
    other = open_page(context, link)
    other.wait_for_function("charrnn.live.map.range")
    assert other.evaluate("charrnn.live.map.rows") == page.evaluate("charrnn.live.map.rows")
    assert len(other.evaluate("charrnn.live.map.rows")) == 28 and text(other) == text(page)
    expect(other.locator(".cr-scene-place")).to_contain_text("Scene 2 of")
    assert other.evaluate("charrnn.selectedModels") == ["gru", "lstm"]
    other.get_by_role("button", name="Whole lab").click()
    expect(other.locator("#cr-speed")).to_be_hidden()
    assert copied(other, "link") == link


def test_link_carries_the_comparison(context: BrowserContext, trained_app: str):
    page = open_page(context, trained_app + "?tab=compare")
    page.locator('#cr-pair [data-side="A"]').get_by_label("network").select_option("gru")
    page.locator('#cr-pair [data-side="A"]').get_by_label("training step").select_option("10")
    part = page.locator("#cr-dice")
    part.locator("summary").click()
    values = {"a_temperature": "0.5", "b_top_k": "3", "ab_seed": "13", "ab_characters": "40", "ab_prompt": "A, B:\n"}
    for name, value in values.items():
        part.locator(f"[name={name}]").fill(value)
    part.locator("[name=ab_prompt]").press("Tab")
    expect(part.locator(".cr-after").first).to_be_visible()
    link = copied(page, "link")
    assert query(link).items() >= {"a": "gru:10", "tab": "compare", **values}.items() and "b" not in query(link)
    other = open_page(context, link)
    expect(other.locator("#cr-dice .cr-writer h3").first).to_have_text("A · GRU, step 10")
    for name, value in values.items():
        expect(other.locator(f"#cr-dice [name={name}]")).to_have_value(value)
    texts = "[...document.querySelectorAll('#cr-dice .cr-written')].map((text) => text.textContent)"
    other.wait_for_function(f"(texts) => JSON.stringify({texts}) === JSON.stringify(texts)", arg=page.evaluate(texts))
    assert copied(other, "link") == link
