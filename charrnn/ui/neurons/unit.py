"""Neurons, one unit: text colored by activation, histogram and top excerpts."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from charrnn.neurons import BestUnit, ConceptTargets, score, top_spans
from charrnn.neurons.scoring import MIN_CHARS
from charrnn.ui.components.table.table import Cell, Table, number
from charrnn.ui.neurons.leaderboard import MessageEncoder, input_text, requested_view
from charrnn.ui.neurons.unit_scores import Units, saved_boards, view_title, views_payload
from charrnn.ui.server.activation_views import ColorRange, ceil_nice
from charrnn.ui.server.analyses import MAX_ANALYSIS_CHARS
from charrnn.ui.server.checkpoint_store import LoadedModel
from charrnn.ui.server.source_text import given_text
from charrnn.ui.server.view_query import IsCurrent, ViewQuery, require_current

MAX_LISTED = 5  # concepts
FULL_COLOR_PERCENTILE = 99  # of the absolute activations


def requested_unit(loaded: LoadedModel, view_name: str, query: ViewQuery) -> int:
    """Return the requested unit, by default that with the largest margin."""
    requested = query.form.get("unit")
    if type(requested) is int and 0 <= requested < loaded.units[view_name]:
        return requested
    board = saved_boards(loaded).get(view_name)
    best = max(board.best if board else (), key=lambda best: best.held_out - best.to_beat, default=None)
    return best.unit if best else 0


def unit_activations(units: Units, query: ViewQuery, is_current: IsCurrent) -> Iterator[str]:
    """Show the activations of one unit on a text. Raises ValueError."""
    loaded = units.store.load(query.choice.name, query.choice.step)
    view_name = requested_view(loaded, query)
    unit = requested_unit(loaded, view_name, query)
    source, notice = input_text(units.store, loaded, given_text(query, MAX_ANALYSIS_CHARS))
    text = source.text
    encoder = MessageEncoder(
        query, views=views_payload(loaded), view=view_name, unit=unit, units=loaded.units[view_name]
    )
    yield encoder.progress(f"Reading {len(text):,} characters …")
    values = units.values(loaded, view_name, text, is_current)[:, unit]
    require_current(is_current)
    scale = color_range(loaded.view(view_name).scale, values)
    read = f"Read: {len(text):,} characters of {source.origin}."
    concepts = concepts_of(units, loaded, view_name, unit, text, values)
    none = "" if concepts or len(text) < MIN_CHARS else "It tells no concept better than untrained units do."
    yield encoder.encode(
        " ".join(filter(None, [read, notice, describe_concepts(loaded, view_name, unit), none])),
        title=f"Unit {unit} of the {view_title(view_name)}",
        text=text,
        values=np.round(values.astype(float), 3).tolist(),
        scale={"low": scale.low, "high": scale.high, "bounded": scale.bounded},
        most=[span._asdict() for span in top_spans(text, values)],
        least=[span._asdict() | {"peak": -span.peak} for span in top_spans(text, -values)],
        table=concepts.to_json() if concepts else None,
        **figure(values, (scale.low, scale.high) if scale.bounded else None, query.width),
    )


def color_range(scale: ColorRange, values: np.ndarray) -> ColorRange:
    """Return the range of the view if bounded, else one of this unit's values."""
    if scale.bounded:
        return scale
    high = ceil_nice(float(np.percentile(np.abs(values), FULL_COLOR_PERCENTILE)))
    return replace(scale, low=-high, high=high)


def concepts_of(
    units: Units, loaded: LoadedModel, view_name: str, unit: int, text: str, values: np.ndarray
) -> Table | None:
    """Tabulate the unit's best concepts, without those that untrained units tell as well; None if there are none."""
    if len(text) < MIN_CHARS:
        return None
    targets = ConceptTargets.of(text)
    scores = score(targets, values[:, None])
    untrained = units.untrained_percentiles(loaded, view_name, targets)
    rows = []
    for c, concept in enumerate(targets.names):
        held_out, percentile = float(scores.held_out[c, 0]), untrained.get(concept)
        if percentile is not None and held_out <= percentile:
            continue
        rank = held_out - (1.0 if percentile is None else percentile)
        sign = "+" if scores.direction[c, 0] > 0 else "−"
        cells = [Cell(concept), Cell(sign), number(float(scores.train[c, 0])), number(held_out), number(percentile)]
        rows.append((rank, cells))
    if not rows:
        return None
    best = sorted(rows, key=lambda row: -row[0])[:MAX_LISTED]
    titles = ("concept", "sign", "first half", "held out", "untrained")
    return Table(f"What unit {unit} tells best here", titles, [cells for _, cells in best], sortable=False)


def describe_concepts(loaded: LoadedModel, view_name: str, unit: int) -> str:
    """Name the concepts for which the saved leaderboard lists this unit."""
    board = saved_boards(loaded).get(view_name)
    listed: list[BestUnit] = [best for best in board.best if best.unit == unit and best.found] if board else []
    if not listed:
        return ""
    return f"It is the best unit for {', '.join(f'{best.concept} ({best.held_out_text} held out)' for best in listed)}."


def figure(values: np.ndarray, limits: tuple[float, float] | None, width: int) -> dict[str, Any]:
    """Return the histogram and its description."""
    from charrnn import figures  # plotly is slow to import: only when needed

    histogram = figures.unit_histogram(values, limits, width)
    return {"figure": histogram, "figure_words": figures.describe_unit_values(values)}
