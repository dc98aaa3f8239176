"""Neurons, clamp: text and loss of a model with clamped units."""

from collections.abc import Iterator, Sequence
from typing import Annotated, Any

from charrnn.clamps import Clamp, limits
from charrnn.coupled_sampling import Generator
from charrnn.ranges import Range
from charrnn.sampling import UniformStream
from charrnn.surprisal import Difference, GroupMean
from charrnn.ui.components.divergence import coupled_texts, describe_identical
from charrnn.ui.components.table.surprisal_table import describe_mean, difference_table
from charrnn.ui.components.table.table import Table
from charrnn.ui.server.analyses import MAX_ANALYSIS_CHARS, bits_of, read_bits, text_for
from charrnn.ui.server.checkpoint_store import LoadedModel, Store
from charrnn.ui.server.clamp_requests import ActivationStats, clamps_of
from charrnn.ui.server.generation_defaults import prompt_for
from charrnn.ui.server.model_pair import with_step
from charrnn.ui.server.page_messages import dropped_notice
from charrnn.ui.server.request_parameters import MAX_SAFE_INTEGER, Writing, validate, within
from charrnn.ui.server.source_text import SourceText, given_text
from charrnn.ui.server.streaming import message
from charrnn.ui.server.view_query import IsCurrent, ViewQuery, require_current

MAX_CHARS = 600  # of each of the two texts
MAX_READ_CHARS = 3000  # of the held-out text: a second, for MiniGPT a few


def clamped_sample(store: Store, query: ViewQuery, is_current: IsCurrent) -> Iterator[str]:
    """Stream both texts and their divergence, then Δ bits. Raises ValueError."""
    loaded = store.load(query.choice.name, query.choice.step)
    stats = ActivationStats.of(store, loaded)
    clamps = clamps_of(stats, query.form.get("clamps"), query.form.get("neuron"))
    held = ", ".join(map(str, clamps)).replace("-", "−")
    shown = {
        "clamps": [stats.describe(clamp) for clamp in clamps],
        "names": [{"name": name, "span": stats.span(name), "limits": limits(name)} for name in stats.values],
        "units": stats.units,
        "usual_of": f"5 %, mean and 95 %: over {stats}.",
        "titles": [f"A · {with_step(loaded)}, as it is", f"B · held: {held}"],
    }
    words, samples = sample_both(loaded, clamps, query)
    source, notice = holdout_text(store, loaded, query)
    text = source.text
    require_current(is_current)
    yield message(query.number, words, busy=True, cost=f"Reading {len(text):,} characters …", **shown, **samples)
    with store.exclusive(clamped_sample, is_current):
        free = bits_of(store, loaded, text, is_current)
        clamped = read_bits(loaded.decoder.clamped(clamps), loaded.vocab.encode(text), is_current)
    require_current(is_current)
    difference = Difference(text, clamped, free)
    cost = " ".join(filter(None, [describe_cost(difference.whole(), source.origin), notice]))
    yield message(query.number, words, 1, cost=cost, table=_table(difference).to_json())


class ClampForm(Writing):
    """The settings of Write, which the page sends with the form of this view."""

    characters: Annotated[int, within(Range(1, MAX_SAFE_INTEGER, whole=True))]


def sample_both(loaded: LoadedModel, clamps: Sequence[Clamp], query: ViewQuery) -> tuple[str, dict[str, Any]]:
    """Sample without and with clamps -> a description, and the fields of the message."""
    form = validate(ClampForm, query.form)
    prompt, dropped = loaded.vocab.drop_unknown(prompt_for(loaded, form.prompt))
    n = min(MAX_CHARS, form.characters)
    a, b = (
        Generator.after(prompt, decoder, loaded.vocab, form.settings)
        for decoder in (loaded.decoder, loaded.decoder.clamped(clamps))
    )
    *_, (texts, divergence) = coupled_texts(a, b, n, UniformStream(form.seed))
    same = describe_identical(n, "no die fell where the clamp moves an edge of the bar")
    notice = dropped_notice(dropped)
    words = " ".join([divergence["why"] if divergence else same, *([notice["text"]] if notice else [])])
    return words, {"texts": texts, "prompt": prompt, "divergence": divergence}


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
    return f"{describe_mean(whole, 4, origin)}: {whole.b_bits:.4f} as it is, {whole.a_bits:.4f} held. {_verdict(whole)}"


def _verdict(whole: GroupMean) -> str:
    error = whole.error_bits or 0.0
    if abs(whole.delta_bits) <= 2 * error:
        return "Within two standard errors of nothing: on this text the network does as well without it."
    if whole.delta_bits < 0:
        return "Held, it predicts this text better."
    share = whole.delta_bits / whole.b_bits
    return f"That is {share:.1%} more than the network needs as it is."


def _table(difference: Difference) -> Table:
    groups = [difference.whole(), *sorted(difference.by_kind(), key=lambda kind: -kind.delta_bits)]
    swapped = [(group.name, group._replace(a_bits=group.b_bits, b_bits=group.a_bits)) for group in groups]
    return difference_table("What it costs, by kind of character", ("as it is", "held"), swapped)
