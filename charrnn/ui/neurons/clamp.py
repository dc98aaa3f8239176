"""Neurons, clamp: usual values of the units, and the loss of a model with clamps."""

from collections.abc import Iterator
from typing import Any

from charrnn.clamps import limits
from charrnn.number_format import counted, percent
from charrnn.surprisal import Difference, GroupMean
from charrnn.ui.components.table.surprisal_table import difference_table, signed_with_margin
from charrnn.ui.components.table.table import Table
from charrnn.ui.server.analyses import MAX_ANALYSIS_CHARS, bits_of, read_bits, text_for
from charrnn.ui.server.checkpoint_store import LoadedModel, Store
from charrnn.ui.server.clamp_requests import ActivationStats, clamps_of
from charrnn.ui.server.source_text import SourceText, given_text
from charrnn.ui.server.streaming import message
from charrnn.ui.server.view_query import IsCurrent, ViewQuery, require_current

MAX_READ_CHARS = 3500  # of the held-out text: a second, for MiniGPT a few
NEGLIGIBLE_SHARE = 0.005  # of the bits that the network needs


def clamp_effects(store: Store, query: ViewQuery, is_current: IsCurrent) -> Iterator[str]:
    """Stream the clamps and usual values, then Δ bits. Raises ValueError, Superseded."""
    loaded = store.load(query.choice.name, query.choice.step)
    stats = ActivationStats.of(store, loaded)
    clamps = clamps_of(stats, query.form.get("clamps"), query.form.get("neuron"))
    shown = {"clamps": [stats.describe(clamp) for clamp in clamps], **describe_units(stats)}
    source, notice = holdout_text(store, loaded, query)
    text = source.text
    require_current(is_current)
    yield message(query.number, "", busy=True, cost=f"Reading {len(text):,} characters …", **shown)
    with store.exclusive(clamp_effects, is_current):
        free = bits_of(store, loaded, text, is_current)
        clamped = read_bits(loaded.decoder.clamped(clamps), loaded.vocab.encode(text), is_current)
    require_current(is_current)
    difference = Difference(text, clamped, free)
    cost = " ".join(filter(None, [describe_cost(difference.whole(), source.origin), notice]))
    yield message(query.number, "", 1, cost=cost, table=_table(difference).to_json())


def describe_units(stats: ActivationStats) -> dict[str, Any]:
    """Describe the activations that can be clamped, and the text of the usual values."""
    names = [{"name": name, "span": stats.span(name), "limits": limits(name)} for name in stats.values]
    return {
        "names": names,
        "units": stats.units,
        "usual_of": f"Low, average and high: 5 %, mean and 95 % over {stats}.",
    }


def holdout_text(store: Store, loaded: LoadedModel, query: ViewQuery) -> tuple[SourceText, str]:
    """Return the held-out text and a notice. Raises ValueError."""
    source = text_for(store, loaded, given_text(query, MAX_ANALYSIS_CHARS))
    if not source.text:
        raise ValueError(f"the model knows no character of {source.origin}: give another text")
    if (characters := len(source.text)) <= MAX_READ_CHARS:
        return source, ""
    return source.first(MAX_READ_CHARS), f"Of its {characters:,} characters the first {MAX_READ_CHARS:,} are read."


def describe_cost(whole: GroupMean, origin: str) -> str:
    """Describe Δ bits on a text of this origin."""
    delta = f"{signed_with_margin(whole)} bits per character"
    means = f"{whole.b_bits:.3f} as it is, {whole.a_bits:.3f} frozen, over {counted(whole.characters)} of {origin}"
    if abs(whole.delta_bits) <= (whole.margin_bits or 0.0):
        return f"No measurable cost: the network does as well without it. Δ = {delta}: {means}."
    if whole.delta_bits < 0:
        return f"Frozen, it predicts this text better: Δ = {delta}, {means}."
    share = whole.delta_bits / whole.b_bits
    note = ", almost nothing" if share < NEGLIGIBLE_SHARE else ""
    return f"Freezing it costs {delta.lstrip('+')} ({percent(share, 1)}){note}: {means}."


def _table(difference: Difference) -> Table:
    groups = [difference.whole(), *sorted(difference.by_kind(), key=lambda kind: -kind.delta_bits)]
    swapped = [(group.name, group._replace(a_bits=group.b_bits, b_bits=group.a_bits)) for group in groups]
    return difference_table("What it costs, by kind of character", ("as it is", "frozen"), swapped)
