"""The tab Gradients: gradient norms by distance, for any set of models."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from charrnn.gradient_flow import GradientFlow
from charrnn.ui.components.analysis_view import AnalysisView, Found, Target
from charrnn.ui.components.table.table import Cell, Table, number
from charrnn.ui.server.analyses import FAR_BACK, measure, saved_gradient
from charrnn.ui.server.checkpoint_store import Store
from charrnn.ui.server.source_text import SourceText
from charrnn.ui.server.view_query import IsCurrent, ViewQuery


def curves(store: Store, query: ViewQuery, is_current: IsCurrent) -> Iterator[str]:
    """Stream the results, one curve at a time. Raises ValueError, Superseded."""
    nothing = "Tick a model to see how far back its gradient reaches."
    return AnalysisView(saved_gradient, measure, _shown, nothing, untrained=True).answers(store, query, is_current)


def _shown(found: Found, picked: Target | None, stroke: Mapping[str, Any], width: int) -> tuple[str, Any, Table]:
    from charrnn import figures  # plotly is slow to import: only when needed

    rows = [(one, *found[one]) for one in found if not one.ghost]
    ghost = next((flow for one, (flow, _) in found.items() if one.ghost), None)
    drawn = {one: figures.Curve(one.title, flow, stroke[one.info.name]) for one, flow, _ in rows}
    close = drawn.get(picked) if picked else None
    figure = figures.gradient_flow_figure([*drawn.values()], width, close, ghost if close else None)
    return figures.describe_gradient_flow([*drawn.values()], [str(text) for _, _, text in rows]), figure, _table(rows)


def left_far_back(flow: GradientFlow) -> Cell:
    """Return the share of the gradient that remains FAR_BACK characters back."""
    left = float(flow.median[FAR_BACK])
    return number(left, "{:.2f}" if 0.01 <= left < 1000 else "{:.1e}")


def _table(rows: Sequence[tuple[Target, GradientFlow, SourceText]]) -> Table:
    """Tabulate half-life, horizon, remaining share, and the text of each curve."""
    from charrnn.figures import context_of

    def row(one: Target, flow: GradientFlow, source: SourceText) -> list[Cell]:
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
