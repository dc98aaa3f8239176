"""The tools of the heatmap: row order, row ranges, and export as CSV and PNG."""

import csv
import io
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import BrowserContext, Download, Page, expect

from charrnn.bench.page_speed import ALIVE
from charrnn.checkpoint import load
from charrnn.ui.server.loaded_model import LoadedModel
from tests.ui.conftest import CHECKPOINTS, open_page
from tests.ui.page_actions import (
    BLUE,
    ORANGE,
    PAPER,
    SLOW,
    canvas_column,
    columns,
    open_options,
    press,
    set_slider,
    set_speed,
    shades,
    start_writing,
    text,
    wait_until_idle,
)

ORDER, ROWS = "charrnn.live.map.order", "charrnn.live.map.rows"


@pytest.fixture(scope="module")
def loaded() -> LoadedModel:
    return LoadedModel(load(CHECKPOINTS / "rnn"))


def read(loaded: LoadedModel, shown: str, name: str) -> np.ndarray:
    """The activations that the package computes, in half precision as sent: (T, rows)."""
    return loaded.decoder.read(loaded.vocab.encode(shown)).activations[name].astype(np.float16).astype(float)


def drag(page: Page, first: int, last: int) -> None:
    """Drag over these rows, counted from the first visible one."""
    box = page.locator(".cr-canvas").bounding_box()
    assert box
    tall = box["height"] * page.evaluate("charrnn.live.map.rowHeight / charrnn.live.map.canvas.height")
    page.mouse.move(box["x"] + 300, box["y"] + (first + 0.5) * tall)
    page.mouse.down()
    page.mouse.move(box["x"] + 320, box["y"] + (last + 0.5) * tall, steps=3)
    page.mouse.up()


def hover(page: Page, row: int) -> int:
    """Hover over a row; return the unit that the page names."""
    box = page.locator(".cr-canvas").bounding_box()
    assert box
    tall = box["height"] * page.evaluate("charrnn.live.map.rowHeight / charrnn.live.map.canvas.height")
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + (row + 0.5) * tall)
    return named_unit(page)


def named_unit(page: Page) -> int:
    found = re.match(r"Unit (\d+) (?:\(.+\) )?after “", page.locator(".cr-values").inner_text())
    assert found
    return int(found[1])


def saved(page: Page, what: str) -> Download:
    with page.expect_download() as download:
        page.locator(f".cr-save-{what}").click()
    return download.value


def table(download: Download) -> list[list[str]]:
    content = Path(download.path()).read_bytes().decode("utf-8")
    return list(csv.reader(io.StringIO(content, newline="")))


def test_rows_keep_similarity_order_while_writing(page: Page, loaded: LoadedModel):
    similar = loaded.view("h").orders["similarity"]
    assert sorted(similar) == list(range(256)) and similar != sorted(similar)
    page.evaluate("window.orders = new Set(); setInterval(() => orders.add(JSON.stringify(charrnn.live.map.rows)), 5)")
    set_speed(page, 60)
    start_writing(page, at_least=60, seed=3, characters=180, prompt="KING:\n")
    set_speed(page, SLOW)
    press(page, "write")  # a pause, a step, and on
    wait_until_idle(page)
    press(page, "step")
    set_speed(page, 0)
    press(page, "write")
    page.wait_for_function("charrnn.state === 'finished' && charrnn.live.drawn === 186")
    assert page.evaluate("[...orders].map(JSON.parse)") == [similar]


def test_heatmap_goes_to_the_cursor_and_pans(page: Page, loaded: LoadedModel):
    shown, title = text(page), page.locator(".cr-map-title")
    values = read(loaded, shown, "h")
    open_options(page)
    order, count = page.evaluate(ORDER), page.evaluate("charrnn.live.map.columns")
    assert len(shown) > count + 100 > 150
    expect(title).to_contain_text(f"the last {count} characters")
    page.locator(".cr-line span").nth(21).click()
    page.mouse.move(5, 5)
    expect(title).to_contain_text(f"characters 1–{count} of {len(shown)}")
    assert page.evaluate("[charrnn.live.cursor, charrnn.live.map.from]") == [21, 0]
    np.testing.assert_allclose(canvas_column(page, 30), shades(values[30, order]), atol=2)
    assert [row[0] for row in table(saved(page, "csv"))[1:]] == [str(i + 1) for i in range(count)]
    page.locator(".cr-canvas").hover()
    page.mouse.wheel(160, 0)
    expect(title).to_contain_text(f"characters 21–{20 + count} of {len(shown)}")
    page.mouse.move(5, 5)
    expect(title).to_contain_text(f"characters 21–{20 + count} of {len(shown)}")  # it stays
    np.testing.assert_allclose(canvas_column(page, 60), shades(values[60, order]), atol=2)
    page.locator(".cr-part").fill("40")
    expect(title).to_contain_text(f"characters 41–{40 + count} of {len(shown)}")
    expect(page.locator(".cr-part")).to_have_attribute("aria-valuetext", f"characters 41–{40 + count} of {len(shown)}")
    page.locator(".cr-text").focus()
    page.keyboard.press("Escape")
    expect(title).to_contain_text(f"the last {count} characters")
    for _ in range(count):
        page.keyboard.press("ArrowLeft")
    assert page.evaluate("charrnn.live.cursor - charrnn.live.map.from") == count // 2  # it has left the part in sight
    np.testing.assert_allclose(canvas_column(page, len(shown) - count), shades(values[-count, order]), atol=2)


def test_named_units_are_shown_as_strips(context: BrowserContext, app: str):
    loaded = LoadedModel(load(CHECKPOINTS / "lstm"))
    view = loaded.view("c")
    assert view.named
    units = view.named.units[:5]
    page = open_page(context, app + "?model=lstm&view=c")
    names = page.locator(".cr-strip-names b")
    expect(names).to_have_text([unit.name for unit in units])
    colors = {
        (True, 1): "blue to orange",
        (True, -1): "orange to blue",
        (False, 1): "more orange",
        (False, -1): "more blue",
    }
    expect(page.locator(".cr-strip-names span")).to_have_text(
        [f"unit {unit.unit} of c · {colors[unit.numeric, unit.direction]}" for unit in units]
    )
    expect(page.locator(".cr-row-names button")).to_have_count(len(view.named.units))
    page.locator(".cr-all-units").click()
    expect(page.locator(".cr-canvas")).to_be_hidden()
    page.reload()
    page.wait_for_function(ALIVE)
    expect(page.locator(".cr-canvas")).to_be_hidden()  # for the next visit too
    expect(page.locator(".cr-map-title")).to_contain_text("5 of 256 numbers after each of the last 120 characters")

    shown = text(page)
    values = read(loaded, shown, "c")[:, [unit.unit for unit in units]]
    position = len(shown) - 9
    shares = values[position] / np.abs(values).max(axis=0)  # each strip on its own scale
    np.testing.assert_allclose(canvas_column(page, position, "strips"), shades(shares), atol=2)
    names.nth(1).click()
    assert page.evaluate("charrnn.live.saved.unit") == units[1].unit
    expect(page.locator(".cr-strip-names button").nth(1)).to_have_attribute("aria-pressed", "true")
    page.locator(".cr-strips").focus()
    for _ in range(3):
        page.keyboard.press("ArrowDown")
    expect(page.locator(".cr-values")).to_contain_text(f"Unit {units[2].unit} ({units[2].name}) after “")
    open_options(page)
    expect(page.locator(".cr-orders")).to_be_hidden()
    assert table(saved(page, "csv"))[0][2:] == [f"unit {unit.unit}" for unit in units]
    set_slider(page, "step", 0)
    expect(page.locator(".cr-strips-see")).to_contain_text("Named at step 2,000: at step 0")
    page.evaluate("localStorage.clear()")


def test_drag_selects_a_range_of_rows(page: Page, loaded: LoadedModel):
    shown, order = text(page), page.evaluate(ORDER)
    values = read(loaded, shown, "h")
    open_options(page)
    whole = page.locator(".cr-canvas").bounding_box()
    drag(page, 100, 139)
    units = page.evaluate(ROWS)
    assert units == order[100:140]
    assert page.locator(".cr-color-key b").count() == 0  # a drag is not a click
    assert page.locator(".cr-canvas").bounding_box() == whole
    assert "rows 101–140 of 256 numbers" in page.locator(".cr-map-title").inner_text()
    position = len(shown) - 4
    np.testing.assert_allclose(canvas_column(page, position), shades(values[position, units]), atol=2)

    assert hover(page, 7) == units[7]
    expect(page.locator(".cr-lens")).to_be_visible()
    page.mouse.down()
    page.mouse.up()  # a click
    assert page.locator(".cr-color-key b").inner_text() == f"unit {units[7]}"
    ink = [0x1D, 0x1C, 0x1A]
    mark = "row => { const { map } = charrnn.live; const y = (row + 0.5) * map.rowHeight;"
    mark += "return [...map.canvas.getContext('2d').getImageData(2, Math.round(y), 1, 1).data].slice(0, 3) }"
    assert page.evaluate(mark, 7) == ink  # the mark of the unit's row

    drag(page, 10, 3)  # upwards, within the visible rows
    assert page.evaluate(ROWS) == order[103:111]
    page.mouse.move(10, 10)
    page.locator(".cr-canvas").focus()
    for _ in range(10):
        page.keyboard.press("ArrowDown")
    assert named_unit(page) == order[110]  # the last visible one
    assert page.evaluate(mark, 7) == ink
    page.get_by_role("button", name="by index").click()  # a new order shows all units
    assert page.evaluate(ROWS) == list(range(256))


def test_row_range_can_be_typed_and_stays(page: Page):
    order = page.evaluate(ORDER)
    open_options(page)
    first, last = (page.get_by_role("spinbutton", name=f"{end} row in sight") for end in ("First", "Last"))
    everything = page.get_by_role("button", name="all units")
    expect(everything).to_be_hidden()
    last.focus()
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type("12")
    page.keyboard.press("Enter")
    assert page.evaluate(ROWS) == order[:12]
    for typed, expected in (("20", (11, 20)), ("0", (0, 20)), ("", (0, 20)), ("999", (19, 256))):
        first.fill(typed)
        first.press("Enter")
        assert page.evaluate(ROWS) == order[slice(*expected)], typed
        assert [first.input_value(), last.input_value()] == [str(expected[0] + 1), str(expected[1])]
    page.locator(".cr-change").click()  # Δh of the same rows
    set_speed(page, 0)
    start_writing(page, at_least=40, seed=5, characters=60)
    assert page.evaluate(ROWS) == order[19:]
    everything.focus()
    page.keyboard.press("Enter")
    assert page.evaluate(ROWS) == order
    assert page.evaluate("document.activeElement === charrnn.live.map.canvas")
    page.locator(".cr-page").evaluate("e => (e.style.zoom = 1.25)")  # as in a lecture
    drag(page, 20, 40)
    assert page.evaluate(ROWS) == order[20:41]
    assert hover(page, 3) == order[23]
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") == 390


def test_csv_has_every_visible_value(page: Page, loaded: LoadedModel):
    shown, order = text(page), page.evaluate(ORDER)
    values = read(loaded, shown, "h")
    open_options(page)
    download = saved(page, "csv")
    assert download.suggested_filename == "rnn_h_step-2000.csv"
    head, *lines = table(download)
    assert head == ["position", "character", *(f"unit {unit}" for unit in order)]
    first = len(shown) - 120
    assert [int(line[0]) for line in lines] == list(range(first + 1, len(shown) + 1))
    assert "".join(line[1] for line in lines).replace("'-", "-") == shown[first:]
    found = np.array([line[2:] for line in lines], float)
    np.testing.assert_allclose(found, values[first:, order], rtol=1e-3, atol=1e-5)
    expect(page.locator('.cr-map [role="status"]')).to_have_text("saved as rnn_h_step-2000.csv")

    page.locator(".cr-change").click()
    drag(page, 30, 41)
    download = saved(page, "csv")
    assert download.suggested_filename == "rnn_delta-h_step-2000_rows-31-42.csv"
    head, *lines = table(download)
    assert head[2:] == [f"unit {unit}" for unit in order[30:42]]
    changes = np.diff(values, axis=0)[first - 1 :, order[30:42]]
    np.testing.assert_allclose(np.array([line[2:] for line in lines], float), changes, atol=2e-3)


def test_png_has_every_cell_and_axes(page: Page, loaded: LoadedModel):
    shown = text(page)
    open_options(page)
    drag(page, 20, 59)
    units = page.evaluate(ROWS)
    download = saved(page, "png")
    assert download.suggested_filename == "rnn_h_step-2000_rows-21-60.png"
    picture = np.asarray(Image.open(download.path()).convert("RGB")).astype(int)
    sharp, left, top, right, bottom, wide, tall = page.evaluate(
        """async () => {
            const { MARGIN, ...image } = await import("/charrnn/write/heatmap_export.js");
            const margins = [MARGIN.left, MARGIN.top, MARGIN.right, MARGIN.bottom];
            return [image.PIXEL_RATIO, ...margins, image.COLUMN_WIDTH, image.rowHeightFor(40)];
        }"""
    )
    assert picture.shape == (sharp * (top + 40 * tall + bottom), sharp * (left + 120 * wide + right), 3)
    rows = [round(sharp * (top + (row + 0.5) * tall)) for row in range(40)]
    columns = [round(sharp * (left + (column + 0.5) * wide)) for column in range(120)]
    values = read(loaded, shown, "h")[-120:, units]
    for column, expected in zip(columns, values, strict=True):
        np.testing.assert_allclose(picture[rows, column], shades(expected), atol=2)
    inked = np.abs(picture - PAPER).sum(axis=2) > 60
    assert all(inked[row - 8 : row + 8, : sharp * left].any() for row in rows)  # a number beside every row
    under = inked[sharp * (top + 40 * tall + 4) : sharp * (top + 40 * tall + 17)]
    assert all(under[:, column - 8 : column + 8].any() for column in columns)  # a character under every column
    assert inked[: sharp * 24, sharp * left : sharp * (left + 100)].any()  # the title
    scale = picture[sharp * 16, -sharp * 180 :]
    for end in (BLUE, ORANGE):
        assert (np.abs(scale - end).max(axis=1) <= 4).any()


def test_export_is_disabled_without_text(page: Page):
    open_options(page)
    png, csv_button = (page.get_by_role("button", name=name, exact=True) for name in ("PNG", "CSV"))
    expect(png).to_be_enabled()
    press(page, "clear")
    for button in (png, csv_button):
        expect(button).to_be_disabled()
        expect(button).to_have_attribute("title", "nothing to save yet: write or read a text")
    press(page, "step")
    expect(png).to_be_enabled()
    expect(csv_button).to_have_attribute("title", "save the values as a table")


def test_dark_heatmap_zero_differs_from_background(context: BrowserContext, app: str):
    page = open_page(context, app + "?__theme=dark&characters=60")
    open_options(page)
    page.locator(".cr-last-row").fill("60")
    page.locator(".cr-last-row").press("Enter")
    values = columns(page)
    zero = page.evaluate(
        """() => {
            const { record, map } = charrnn.live;
            const cells = Array.from({ length: record.length }, (_, i) => map.rows.map((unit, row) => [i, row, unit]));
            return cells.flat().find(([i, , unit]) => record.level(i, unit, false) === 0);
        }"""
    )
    assert zero and abs(values[zero[0], zero[2]]) < 0.5 / 127
    middle = np.array(canvas_column(page, zero[0])[zero[1]])
    beyond = np.array(canvas_column(page, len(values) + 3)[zero[1]])  # after the text
    assert beyond.tolist() == [19, 20, 23]
    assert (middle - beyond).min() > 20
