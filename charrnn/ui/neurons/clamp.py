"""Neurons, clamp: sample with clamped units, and score a held-out text with them."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Annotated, Any

from charrnn.coupled_sampling import Generator, diverged, sample_coupled
from charrnn.interventions import Clamp, limits
from charrnn.ranges import Range, signed
from charrnn.sampling import UniformStream
from charrnn.surprisal import Difference, GroupMean
from charrnn.ui.components.divergence import divergence_payload
from charrnn.ui.components.table.table import Cell, Table, number
from charrnn.ui.server.analyses import MAX_ANALYSIS_CHARS, bits_of, read_bits, text_for
from charrnn.ui.server.checkpoint_store import LoadedModel, Store
from charrnn.ui.server.clamp_requests import ActivationStats, clamps_of
from charrnn.ui.server.defaults import prompt_for
from charrnn.ui.server.model_pair import with_step
from charrnn.ui.server.notices import dropped_notice
from charrnn.ui.server.source_text import SourceText, given_text
from charrnn.ui.server.streaming import add_part, answer
from charrnn.ui.server.validation import MAX_SAFE_INTEGER, Writing, checked, within
from charrnn.ui.server.view_query import ViewQuery, Wanted, require

MAX_CHARS = 600  # characters to write, each of them twice
MAX_READ_CHARS = 3000  # characters of the held-out text: a second, of MiniGPT a few
TITLES = ("characters", "how many", "as it is, bits", "held, bits", "Δ, bits", "standard error")


def build(store: Store) -> None:
    """Lay out the view and register its analysis."""
    add_part("cr-clamp", "neurons/clamp", partial(written_again, store))


def written_again(store: Store, question: ViewQuery, wanted: Wanted) -> Iterator[str]:
    """Stream both texts and their divergence, then the loss. Raises ValueError."""
    reader = store.load(question.choice.name, question.choice.step)
    usual = ActivationStats.of(store, reader)
    clamps = clamps_of(usual, question.form.get("clamps"), question.form.get("neuron"))
    told = {
        "clamps": [usual.told(clamp) for clamp in clamps],
        "names": [_name_told(usual, name) for name in usual.values],
        "units": usual.units,
        "usual_of": f"5 %, mean and 95 %: over {usual}.",
        "titles": [f"A · {with_step(reader)}, as it is", f"B · held: {in_words(clamps)}"],
    }
    both = both_texts(reader, clamps, question)
    source, note = held_out(store, reader, question)
    text = source.text
    require(wanted)
    yield answer(
        question.number, both.pop("words"), busy=True, cost=f"Reading {len(text):,} characters …", **told, **both
    )
    with store.turn(written_again, wanted):
        free = bits_of(store, reader, text, wanted)
        held = read_bits(reader.decoder.clamped(clamps), reader.vocab.encode(text), wanted)
    require(wanted)
    cost = Difference(text, held, free)
    words = " ".join(filter(None, [cost_in_words(cost.whole(), source.origin), note]))
    yield answer(question.number, "", 1, cost=words, table=_table(cost).told())


def in_words(clamps: Sequence[Clamp]) -> str:
    """Describe the clamps."""
    return ", ".join(map(str, clamps)).replace("-", "−")


def _name_told(usual: ActivationStats, name: str) -> dict[str, Any]:
    """Describe a view that can be clamped: slider range and limits of the value."""
    return {"name": name, "span": usual.span(name), "limits": limits(name)}


# ------------------------------------------------------------------------------------------------ the two texts


class ClampForm(Writing):
    """The sampling settings of Write, which the form of this view includes."""

    characters: Annotated[int, within(Range(1, MAX_SAFE_INTEGER, whole=True))]


def both_texts(reader: LoadedModel, clamps: Sequence[Clamp], question: ViewQuery) -> dict[str, Any]:
    """Sample with and without clamps after the prompt; find the first difference."""
    form = checked(ClampForm, question.form)
    prompt, dropped = reader.vocab.drop_unknown(prompt_for(reader, form.prompt))
    n, dice = min(MAX_CHARS, form.characters), UniformStream(form.seed)
    a, b = (
        Generator.after(prompt, decoder, reader.vocab, form.settings)
        for decoder in (reader.decoder, reader.decoder.clamped(clamps))
    )
    texts, parting = ["", ""], None
    for pair in sample_coupled(a, b, n, dice):
        if parting is None and diverged(a, b, pair):
            parting = {"at": len(texts[0]), **divergence_payload(a, b, pair)}
        texts = [texts[0] + a.character(pair.a), texts[1] + b.character(pair.b)]
    what = "the same character" if n == 1 else f"the same {n:,} characters"
    same = f"Identical: both write {what}; no die fell where the clamp moves an edge of the bar."
    notice = dropped_notice(dropped)
    words = [parting["why"] if parting else same, notice["text"] if notice else ""]
    return {"words": " ".join(filter(None, words)), "texts": texts, "prompt": prompt, "parting": parting}


# ------------------------------------------------------------------------------------------------ what it costs


def held_out(store: Store, reader: LoadedModel, question: ViewQuery) -> tuple[SourceText, str]:
    """Return the held-out text and a notice. Raises ValueError."""
    source = text_for(store, reader, given_text(question, MAX_ANALYSIS_CHARS))
    if not source.text:
        raise ValueError(f"the network knows no character of {source.origin}: give another text")
    characters = len(source.text)
    note = (
        f"Of its {characters:,} characters the first {MAX_READ_CHARS:,} are read."
        if characters > MAX_READ_CHARS
        else ""
    )
    return source.first(MAX_READ_CHARS), note


def cost_in_words(whole: GroupMean, what: str) -> str:
    """Describe Δ bits in a sentence."""
    over = "1 character" if whole.characters == 1 else f"{whole.characters:,} characters"
    give = f" ± {whole.error_bits:.4f}" if whole.error_bits else ""
    mean = f"Δ = {signed(whole.delta_bits, 4)}{give} bits a character, over {over} of {what}"
    return f"{mean}: {whole.b_bits:.4f} as it is, {whole.a_bits:.4f} held. {_verdict(whole)}"


def _verdict(whole: GroupMean) -> str:
    error = whole.error_bits or 0.0
    if abs(whole.delta_bits) <= 2 * error:
        return "Within two standard errors of nothing: on this text the network does as well without it."
    if whole.delta_bits < 0:
        return "Held, it predicts this text better."
    share = whole.delta_bits / whole.b_bits
    return f"That is {share:.1%} more than the network needs as it is."


def _table(cost: Difference) -> Table:
    groups = [cost.whole(), *sorted(cost.by_kind(), key=lambda kind: -kind.delta_bits)]
    rows = [
        [
            Cell(group.name),
            number(group.characters, "{:,}"),
            number(group.b_bits),
            number(group.a_bits),
            number(group.delta_bits, "{:+.3f}"),
            number(group.error_bits),
        ]
        for group in groups
    ]
    return Table("What it costs, by kind of character", TITLES, rows, sortable=False)
