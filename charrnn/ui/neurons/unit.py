"""Neurons, one unit: text colored by activation, histogram and top excerpts."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from charrnn.neurons import BestUnit, ConceptTargets, score, top_spans
from charrnn.neurons.scoring import MIN_CHARS
from charrnn.ui.components.table.table import Cell, Table, number
from charrnn.ui.neurons.leaderboard import MessageEncoder, input_text, requested_view
from charrnn.ui.neurons.unit_scores import Units, best_rows, saved_boards, view_title, views_payload
from charrnn.ui.server.activation_views import ColorRange, ceil_nice, color_range
from charrnn.ui.server.analyses import MAX_ANALYSIS_CHARS
from charrnn.ui.server.checkpoint_store import LoadedModel
from charrnn.ui.server.named_units import name_of
from charrnn.ui.server.source_text import given_text
from charrnn.ui.server.view_query import IsCurrent, ViewQuery, require_current

MAX_LISTED = 5  # concepts
FULL_COLOR_PERCENTILE = 99  # of a unit's absolute values in an unbounded view


def requested_place(loaded: LoadedModel, query: ViewQuery) -> tuple[str, int]:
    """Return the requested view and unit, by default those with the largest margin."""
    rows = best_rows(loaded)
    if query.form.get("view") is None and rows:
        view_name = rows[0][0]
    else:
        view_name = requested_view(loaded, query)
    unit = query.form.get("unit")
    if type(unit) is int and 0 <= unit < loaded.units[view_name]:
        return view_name, unit
    board = saved_boards(loaded).get(view_name)
    best = max(board.best if board else (), key=lambda best: best.margin, default=None)
    return view_name, best.unit if best else 0


def unit_activations(units: Units, query: ViewQuery, is_current: IsCurrent) -> Iterator[str]:
    """
    Show the activations of one unit on a text, then its concepts.

    Their scores are compared with those of untrained units: measured on a given text, else saved with the leaderboard.

    Raises ValueError, Superseded.
    """
    loaded = units.store.load(query.choice.name, query.choice.step)
    view_name, unit = requested_place(loaded, query)
    given = given_text(query, MAX_ANALYSIS_CHARS)
    source, notice = input_text(units.store, loaded, given)
    text = source.text
    encoder = MessageEncoder(
        query, views=views_payload(loaded), view=view_name, unit=unit, units=loaded.units[view_name]
    )
    yield encoder.progress(f"Reading {len(text):,} characters …")
    activations = units.values(loaded, view_name, text, is_current)
    require_current(is_current)
    values, scale = activations[:, unit], unit_range(view_name, activations, unit)
    read = f"Text: {len(text):,} characters of {source.origin}."
    words = " ".join(filter(None, [describe_concepts(loaded, view_name, unit), read, notice]))
    yield encoder.encode(
        words,
        busy=True,
        title=f"Unit {unit} of the {view_title(view_name)}",
        text=text,
        values=np.round(values.astype(float), 2).tolist(),
        scale={"low": scale.low, "high": scale.high, "bounded": scale.bounded},
        most=[span._asdict() for span in top_spans(text, values)],
        least=[span._asdict() | {"peak": -span.peak} for span in top_spans(text, -values)],
        table=None,
        **figure(values, (scale.low, scale.high) if scale.bounded else None, query.width),
    )
    if len(text) < MIN_CHARS:
        yield encoder.encode(words)
        return
    targets = ConceptTargets.of(text)
    board = None if given else saved_boards(loaded).get(view_name)
    if board:
        to_beat = {best.concept: best.to_beat for best in board.best}
    else:
        baseline = yield from units.baseline(loaded, view_name, targets, is_current, encoder.progress)
        to_beat = dict(zip(targets.names, baseline.to_beat.tolist(), strict=True))
    require_current(is_current)
    concepts = concepts_of(unit, targets, values, to_beat)
    none = "" if concepts else " No concept of this text exceeds the score that it needs for a name."
    yield encoder.encode(words + none, table=concepts.to_json() if concepts else None)


def unit_range(view: str, values: np.ndarray, unit: int) -> ColorRange:
    """
    Return the color range of a unit.

    It is that of the view, with values (N, U), if bounded, else one of the unit's own values.
    """
    scale = color_range(view, values)
    if scale.bounded:
        return scale
    high = ceil_nice(float(np.percentile(np.abs(values[:, unit]), FULL_COLOR_PERCENTILE)))
    return replace(scale, low=-high, high=high)


def concepts_of(unit: int, targets: ConceptTargets, values: np.ndarray, to_beat: Mapping[str, float]) -> Table | None:
    """Tabulate the best concepts that could name the unit; None without any."""
    scores = score(targets, values[:, None])
    rows = []
    for c, concept in enumerate(targets.names):
        held_out = float(scores.held_out[c, 0])
        margin = held_out - to_beat.get(concept, np.inf)
        if margin <= 0:
            continue
        direction = "+" if scores.direction[c, 0] > 0 else "−"
        shown = [number(score, "{:.2f}") for score in (float(scores.train[c, 0]), held_out, to_beat[concept])]
        rows.append((margin, [Cell(concept), Cell(direction), *shown]))
    if not rows:
        return None
    best = sorted(rows, key=lambda row: -row[0])[:MAX_LISTED]
    titles = ("concept", "direction", "first half", "second half", "untrained + margin")
    return Table(f"Concepts that unit {unit} tracks in this text", titles, [cells for _, cells in best], sortable=False)


def describe_concepts(loaded: LoadedModel, view_name: str, unit: int) -> str:
    """Name the concepts for which the saved leaderboard lists this unit."""
    board = saved_boards(loaded).get(view_name)
    listed: list[BestUnit] = [best for best in board.best if best.unit == unit and best.found] if board else []
    if not listed:
        return ""
    return f"Best unit for: {'; '.join(f'{name_of(best)}, {best.held_out_text}' for best in listed)}."


def figure(values: np.ndarray, limits: tuple[float, float] | None, width: int) -> dict[str, Any]:
    """Return the histogram and its description."""
    from charrnn import figures  # plotly is slow to import: only when needed

    histogram = figures.unit_histogram(values, limits, width)
    return {"figure": histogram, "figure_words": figures.describe_unit_values(values)}
