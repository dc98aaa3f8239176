"""Neurons, one unit: the text coloured by it, how often it says what, and where it says most."""

from collections.abc import Iterator
from typing import Any

import gradio as gr
import numpy as np

from charrnn.neurons import Best, top_spans
from charrnn.ui.assets import view
from charrnn.ui.gradients_tab import LONGEST_TEXT
from charrnn.ui.plot_view.plot_view import answering
from charrnn.ui.questions import Question
from charrnn.ui.store import Reader
from charrnn.ui.unit_board import Telling, passage, view_of
from charrnn.ui.units import OvertakenError, Units, Wanted, in_words, kept_boards, views_told


def build(units: Units) -> None:
    """Lay out the part and let it answer."""
    with gr.Column(elem_classes="cr-part", elem_id="cr-unit"):
        shown = view("neurons_view/unit", "cr-view")
        answering(shown, lambda question, wanted: one_unit(units, question, wanted))


def unit_of(reader: Reader, view_name: str, question: Question) -> int:
    """The unit that is asked for; where none is, the one that stands out most."""
    rows = len(reader.decoder.step(0, reader.beginning.state).activations[view_name])
    asked = question.form.get("unit")
    if type(asked) is int and 0 <= asked < rows:
        return asked
    board = kept_boards(reader).get(view_name)
    found = sorted(board.best if board else (), key=lambda best: best.to_beat - best.held_out)
    return found[0].unit if found else 0


def one_unit(units: Units, question: Question, wanted: Wanted) -> Iterator[str]:
    """What one unit says of a text. Raises ValueError."""
    reader = units.store.reader(question.choice.name, question.choice.step)
    view_name = view_of(reader, question)
    unit = unit_of(reader, view_name, question)
    text, what, note = passage(units.store, reader, question.text("text", LONGEST_TEXT))
    if not text:
        raise ValueError("the model knows no character of this text: give another")
    rows = len(reader.decoder.step(0, reader.beginning.state).activations[view_name])
    telling = Telling(question, views=views_told(reader), view=view_name, unit=unit, units=rows)
    yield telling.now(f"Reading {len(text):,} characters …", busy=True)
    try:
        values = units.values(reader, view_name, text, wanted)[:, unit]
    except OvertakenError:
        return
    if not wanted():
        return
    scale = reader.display(view_name).scale
    bears = known_for(reader, view_name, unit)
    words = f"Read: {len(text):,} characters of {what}. {note} {bears}".replace("  ", " ").strip()
    drawn = figure(values, (scale.low, scale.high) if scale.bounded else None, question.width)
    yield telling.now(
        words,
        title=f"Unit {unit} of the {in_words(view_name)}",
        text=text,
        values=np.round(values.astype(float), 3).tolist(),
        scale={"low": scale.low, "high": scale.high, "bounded": scale.bounded},
        most=[span._asdict() for span in top_spans(text, values)],
        least=[span._asdict() | {"peak": -span.peak} for span in top_spans(text, -values)],
        **drawn,
    )


def known_for(reader: Reader, view_name: str, unit: int) -> str:
    """What the kept board says of a unit."""
    board = kept_boards(reader).get(view_name)
    won: list[Best] = [best for best in board.best if best.unit == unit and best.found] if board else []
    if not won:
        return ""
    return (
        "It is the best unit for " + ", ".join(f"{best.concept} ({best.held_out:.3f} held out)" for best in won) + "."
    )


def figure(values: np.ndarray, ends: tuple[float, float] | None, width: int) -> dict[str, Any]:
    """The histogram, for light and for dark, and in words."""
    from charrnn import figures  # plotly takes its time: only a visitor who comes to this tab waits for it

    light, dark = (
        figures.unit_histogram(values, palette, ends, width).to_json() or ""
        for palette in (figures.LIGHT, figures.DARK)
    )
    return {"light": light, "dark": dark, "figure_words": figures.unit_histogram_words(values)}
