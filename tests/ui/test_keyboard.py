"""A keyboard alone is enough, and a key acts where it is seen to act."""

from playwright.sync_api import Page, expect

from tests.ui.page_actions import set_more, set_speed, start_writing, text


def cursor(page: Page) -> int:
    return page.evaluate("charrnn.live.cursor")


def test_arrows_move_the_cursor_after_a_click_on_a_button(page: Page):
    last = len(text(page)) - 1
    page.get_by_role("button", name="by index").click()
    page.keyboard.press("ArrowLeft")
    assert cursor(page) == last - 1
    page.locator("#cr-prompt").focus()
    page.keyboard.press("ArrowLeft")
    page.locator("#cr-temperature").focus()
    page.keyboard.press("ArrowLeft")
    assert cursor(page) == last - 1


def test_keys_do_nothing_to_a_tab_out_of_sight(page: Page):
    run, before = page.evaluate("charrnn.live.record.run"), cursor(page)
    page.get_by_role("tab", name="Gradients").click()
    expect(page.locator(".cr-plot .main-svg").first).to_be_visible(timeout=60_000)  # the first visit loads Plotly
    page.locator(".cr-explain").first.click()
    page.keyboard.press("Space")
    page.keyboard.press("ArrowLeft")
    page.wait_for_timeout(300)
    assert (page.evaluate("charrnn.state"), cursor(page)) == ("finished", before)
    assert page.evaluate("charrnn.live.record.run") == run


def test_a_space_held_down_is_one_press(page: Page):
    set_speed(page, 10)
    set_more(page, characters=300)
    page.locator(".cr-text").focus()
    for _ in range(4):
        page.keyboard.down("Space")  # from the second time on it repeats
    page.keyboard.up("Space")
    assert page.evaluate("charrnn.state") == "writing"


def test_the_unit_that_keys_walk_to_is_marked_and_magnified(page: Page):
    lens = page.locator(".cr-lens")
    page.locator(".cr-canvas").focus()
    expect(lens).to_be_hidden()
    edge = "charrnn.live.map.canvas.getContext('2d').getImageData(1, 0, 1, 40).data.join()"
    page.keyboard.press("ArrowDown")
    first = page.evaluate(edge)
    for _ in range(10):
        page.keyboard.press("ArrowDown")
    assert page.evaluate(edge) != first
    expect(lens).to_be_visible()
    page.locator(".cr-text").focus()
    expect(lens).to_be_hidden()


def test_the_values_follow_a_text_that_runs_under_a_resting_pointer(page: Page):
    set_speed(page, 60)
    box = page.locator(".cr-canvas").bounding_box()
    assert box
    start_writing(page, at_least=130, characters=2000)
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 100)
    said = page.locator(".cr-values").inner_text()
    page.wait_for_function("(said) => document.querySelector('.cr-values').textContent !== said", arg=said)
    expect(page.locator(".cr-lens")).to_be_visible()
    assert page.evaluate("charrnn.live.cursor - charrnn.live.map.from") == 60
