"""Gradients, context use: effective context length, effect of replaced characters."""

from collections.abc import Iterator, Mapping
from typing import Any

from charrnn.bootstrap import Interval
from charrnn.checkpoint import CheckpointInfo
from charrnn.context_use import MemoryUsed, describe_length, memory_from_record, memory_used
from charrnn.corpus import title_of
from charrnn.ui.components.analysis_view import AnalysisView, Rendered, Results, Target
from charrnn.ui.components.table.table import Cell, Table, number
from charrnn.ui.server.checkpoint_store import LoadedModel, Store
from charrnn.ui.server.saved_analysis import saved_analysis
from charrnn.ui.server.source_text import SourceText
from charrnn.ui.server.view_query import IsCurrent, ViewQuery

MAX_CHARS, PREDICTIONS, REPLACED = 128, 512, 256  # of a measurement on request: a few seconds
REPLACED_MINIGPT = 96  # it runs a whole window for each
SEED = 0


def saved_context_use(info: CheckpointInfo) -> tuple[MemoryUsed, SourceText] | None:
    """Load the saved measurement; None if absent or invalid."""
    used = saved_analysis(info, "memory", memory_from_record)
    return (used, SourceText("", f"the validation part of {title_of(info.data_sha256)}")) if used else None


def measure(loaded: LoadedModel, text: str) -> MemoryUsed:
    """Run both measurements on a text, at reduced size. Raises ValueError."""
    replaced = REPLACED_MINIGPT if loaded.info.cell == "minigpt" else REPLACED
    return memory_used(loaded.checkpoint.model, loaded.vocab.encode(text), SEED, MAX_CHARS, PREDICTIONS, replaced)


def context_use_curves(store: Store, query: ViewQuery, is_current: IsCurrent) -> Iterator[str]:
    """Stream the results, one model at a time. Raises ValueError, Superseded."""
    words_if_empty = "Choose at least one network above."
    return AnalysisView(saved_context_use, measure, _render, words_if_empty).stream(store, query, is_current)


def _render(results: Results, picked: Target | None, stroke: Mapping[str, Any], width: int) -> Rendered:
    from charrnn import figures  # plotly is slow to import: only when needed

    curves = {
        target: figures.ContextUseCurve(target.title, used, stroke[target.info.name], target.info.name)
        for target, (used, _) in results.items()
    }
    figure = figures.context_use_figure([*curves.values()], width, curves.get(picked) if picked else None)
    sentences = figures.context_use_sentences([*curves.values()], [str(source) for _, source in results.values()])
    return sentences, figure, _table(results)


def _context_cell(chars: int, longest: int, interval: Interval | None) -> Cell:
    """Return a cell with a context length and its interval."""
    return Cell(describe_length(chars, longest, interval), float(min(chars, longest)))


def _table(results: Results) -> Table:
    """Tabulate context lengths, and losses with short and long context."""

    def row(target: Target, used: MemoryUsed, source: SourceText) -> list[Cell]:
        context, probe = used.context, used.corruption
        longest = len(context.n)
        lengths = [
            (context.ecl_chars, context.ecl_interval),
            (context.ecl_share_chars, context.ecl_share_interval),
            (context.shuffled_ecl_chars, context.shuffled_ecl_interval),
        ]
        return [
            Cell(target.title, model=target.info.name),
            *(_context_cell(chars, longest, interval) for chars, interval in lengths),
            _context_cell(probe.felt_chars, len(probe.k) - 1, probe.felt_interval),
            *(number(float(context.loss_nats[n - 1])) for n in (1, 8, 32) if n <= longest),
            number(float(context.loss_nats[-1])),
            number(context.predictions, "{:,}"),
            Cell(str(source)),
        ]

    titles = ["network", "0.01 nats", "1 %", "control", "influence", "n = 1", "n = 8", "n = 32"]
    titles += ["longest", "predictions", "text"]
    caption = "Effective context at 0.01 nats, at 1 %, at 0.01 nats with the letters before it shuffled, and for how "
    caption += "long a changed letter affects predictions, in characters with 95 % intervals; the loss with n "
    caption += "characters, in nats"
    return Table(caption, titles, [row(target, *result) for target, result in results.items()])
