"""Gradients, norms: the gradient by distance in characters, for any set of models."""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from charrnn.gradient_flow import GradientFlow
from charrnn.ui.components.analysis_view import AnalysisView, Rendered, Results, Target
from charrnn.ui.components.table.table import Cell, Table, number
from charrnn.ui.server.analyses import FAR_BACK, MAX_LAG, measure_gradient, saved_gradient, text_for
from charrnn.ui.server.checkpoint_store import Store
from charrnn.ui.server.source_text import SourceText
from charrnn.ui.server.view_query import IsCurrent, ViewQuery


def curves(store: Store, query: ViewQuery, is_current: IsCurrent) -> Iterator[str]:
    """Stream the results, one curve at a time. Raises ValueError, Superseded."""
    words_if_empty = "Choose at least one network above."
    render = partial(_render, store)
    view = AnalysisView(saved_gradient, measure_gradient, render, words_if_empty, untrained=True)
    return view.stream(store, query, is_current)


def _render(store: Store, results: Results, picked: Target | None, stroke: Mapping[str, Any], width: int) -> Rendered:
    from charrnn import figures  # plotly is slow to import: only when needed

    rows = [(target, *result) for target, result in results.items() if not target.ghost]
    untrained = next((flow for target, (flow, _) in results.items() if target.ghost), None)
    curves = {
        target: figures.Curve(target.title, flow, stroke[target.info.name], target.info.name)
        for target, flow, _ in rows
    }
    picked_curve = curves.get(picked) if picked else None
    target, _, source = next((row for row in rows if row[0] == picked), rows[0])
    read = source if source.text else text_for(store, store.load(target.info.name))
    letters, ghost = sentence_of(read.text), untrained if picked_curve else None
    figure = figures.gradient_flow_figure([*curves.values()], width, picked_curve, ghost, letters)
    sentences = figures.gradient_flow_sentences([*curves.values()], [str(source) for _, _, source in rows])
    sentences.append(figures.Sentence(f"Letters along the axis: from {read}."))
    return sentences, figure, _table(rows)


def sentence_of(text: str) -> str:
    """Return MAX_LAG or more characters of a text, up to the end of a sentence."""
    end = re.compile(r"[.!?]").search(text, MAX_LAG)
    return text[: end.start() if end else MAX_LAG + 1]


def remaining_share(flow: GradientFlow) -> Cell:
    """Return the share of the gradient that remains FAR_BACK characters back."""
    left = float(flow.median[FAR_BACK])
    return number(left, "{:.2f}" if 0.01 <= left < 1000 else "{:.1e}")


def _table(rows: Sequence[tuple[Target, GradientFlow, SourceText]]) -> Table:
    """Tabulate half-life, horizon, remaining share, and the text of each curve."""
    from charrnn.figures import context_of

    def row(target: Target, flow: GradientFlow, source: SourceText) -> list[Cell]:
        context = context_of(flow)
        is_far = flow.horizon_chars is None or flow.horizon_chars == context
        max_lag = context or int(flow.lags[-1])
        return [
            Cell(target.title, model=target.info.name),
            Cell(flow.describe_half_life(), flow.half_life_chars),
            Cell(f"> {max_lag}", float(max_lag)) if is_far else Cell(flow.describe_horizon(), flow.horizon_chars),
            remaining_share(flow),
            number(flow.positions, "{:,}"),
            Cell(str(source)),
        ]

    titles = ["network", "½ after", "1 % after", f"left at k = {FAR_BACK}", "places", "text"]
    return Table("In characters, with 95 % intervals", titles, [row(*each) for each in rows])
