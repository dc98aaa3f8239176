"""The tab Gradients: how far back learning reaches, for any set of models."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from charrnn.checkpoint import CheckpointInfo
from charrnn.corpus import title_of
from charrnn.findings import FindingsError
from charrnn.gradient_flow import GradientFlow, flow_of, gradient_flow
from charrnn.ui.analysis_view import AnalysisView, Asked, Found, text_for
from charrnn.ui.plot_view.plot_view import add_part
from charrnn.ui.questions import Question, Wanted
from charrnn.ui.source_text import SourceText
from charrnn.ui.store import Reader, Store
from charrnn.ui.table_view.table_view import Cell, Table, number

MAX_LAG = 128
POSITIONS = 512
POSITIONS_OF_WINDOWS = 128  # MiniGPT reads a whole window for each position: a second or two on one core
FAR_BACK = 100  # characters: what the lab sheet says contributes nothing


def build(store: Store) -> None:
    """Lay out the tab and let it answer."""
    add_part("cr-flow", "plot_view/plot", partial(curves, store), "plot_view/gradients")


# ------------------------------------------------------------------------------------------------ measuring


def measured(store: Store, reader: Reader, given: SourceText | None = None) -> tuple[GradientFlow, SourceText]:
    """
    The gradient flow of a model on a text, worked out once, and the text. Raises ValueError.

    Where no text is given, and the network is as its training left it, the flow that is kept beside the checkpoint.
    """
    last = reader.checkpoint.step == reader.info.saved_steps[-1]
    if given is None and last and (found := kept(reader.info)):
        return found
    source = text_for(store, reader, given)
    return store.cache.compute(measure, reader, source.text), source


def kept(info: CheckpointInfo) -> tuple[GradientFlow, SourceText] | None:
    """The flow that is kept beside a checkpoint, and its text; None where there is none that can be read."""
    section = info.analyses.sections.get("gradient")
    try:
        if section is None:
            return None
        flow, characters = flow_of(section), int(section.number("characters_read", 1))
    except FindingsError:
        return None
    part = f"the validation part of {title_of(info.data_sha256)}"
    return flow, SourceText("", f"{part} (its first {characters:,} characters)")


def measure(reader: Reader, text: str) -> GradientFlow:
    """The gradient flow of a model on a text that it knows. Raises ValueError."""
    positions = POSITIONS_OF_WINDOWS if reader.info.cell == "minigpt" else POSITIONS
    return gradient_flow(reader.checkpoint.model, reader.vocab.encode(text), MAX_LAG, positions)


# ------------------------------------------------------------------------------------------------ what the view shows


def curves(store: Store, question: Question, wanted: Wanted) -> Iterator[str]:
    """The answers to a question, each with one curve more. Raises ValueError, Superseded."""
    nothing = "Tick a model to see how far back its gradient reaches."
    yield from AnalysisView(kept, measure, _shown, nothing, untrained=True).answers(store, question, wanted)


def _shown(store: Store, found: Found, picked: Asked | None, width: int) -> tuple[str, Any, Table]:
    from charrnn import figures  # plotly takes its time: only a visitor who comes to this tab waits for it

    stroke = figures.strokes([info.name for info in store.infos()])
    rows = [(one, *found[one]) for one in found if not one.ghost]
    ghost = next((flow for one, (flow, _) in found.items() if one.ghost), None)
    drawn = {one: figures.Curve(one.title, flow, stroke[one.info.name]) for one, flow, _ in rows}
    close = drawn.get(picked) if picked else None
    figure = figures.gradient_flow_figure([*drawn.values()], width, close, ghost if close else None)
    return figures.gradient_flow_words([*drawn.values()], [str(text) for _, _, text in rows]), figure, _table(rows)


def left_far_back(flow: GradientFlow) -> Cell:
    """What is left of the gradient FAR_BACK characters back."""
    left = float(flow.median[FAR_BACK])
    return number(left, "{:.2f}" if 0.01 <= left < 1000 else "{:.1e}")


def _table(rows: Sequence[tuple[Asked, GradientFlow, SourceText]]) -> Table:
    """Half-life and horizon of every curve, what is left far back, and on what that was measured."""
    from charrnn.figures import context_of

    def row(one: Asked, flow: GradientFlow, source: SourceText) -> list[Cell]:
        context = context_of(flow)
        horizon = None if context is not None and flow.horizon_chars == context else flow.horizon_chars
        beyond = Cell(f"> {context or int(flow.lags[-1])}", float(context or flow.lags[-1]))
        return [
            Cell(one.title, model=one.info.name),
            number(flow.half_life_chars, "{:.1f}", "never"),
            beyond if horizon is None else number(horizon, "{:.1f}"),
            left_far_back(flow),
            number(flow.positions, "{}"),
            Cell(str(source)),
        ]

    titles = ["model", "half-life", "1 % left at", f"left at k = {FAR_BACK}", "positions", "of"]
    return Table("The same in numbers, in characters", titles, [row(*each) for each in rows])
