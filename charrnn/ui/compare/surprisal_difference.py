"""Compare, Δ bits: difference of two models' surprisals, by class and position."""

from collections.abc import Iterator, Sequence

import numpy as np

from charrnn.char_classes import KINDS
from charrnn.number_format import signed
from charrnn.surprisal import Difference, GroupMean, difference_by_kind
from charrnn.ui.components.table.surprisal_table import describe_mean, difference_table, signed_with_margin
from charrnn.ui.components.table.table import Table
from charrnn.ui.server.analyses import MAX_ANALYSIS_CHARS, bits_of, text_for
from charrnn.ui.server.checkpoint_store import LoadedModel, Store
from charrnn.ui.server.model_pair import NAMES, known_to_both, load_pair
from charrnn.ui.server.source_text import SourceText, given_text
from charrnn.ui.server.streaming import message
from charrnn.ui.server.view_query import IsCurrent, ViewQuery, require_current

MAX_READ_CHARS = 10_000
BY_NETWORK = "This sample was written by a network, which favours similar networks. Paste real text for a fair test."


def input_text(store: Store, pair: Sequence[LoadedModel], given: SourceText | None) -> tuple[SourceText, str]:
    """Return the text known to both models, and a notice. Raises ValueError."""
    source = given or text_for(store, pair[0])
    text, notice = known_to_both(pair, source.text)
    if not text:
        raise ValueError(f"A and B share no character of {source.origin}: give another text, or choose other models")
    if given and len(text) > MAX_READ_CHARS:
        notice = f"It has {len(text):,} characters: only the first {MAX_READ_CHARS:,} are compared. {notice}".rstrip()
    if source.writers:
        notice = f"{notice} {BY_NETWORK}".lstrip()
    return source.with_text(text).first(MAX_READ_CHARS), notice


def differences(store: Store, query: ViewQuery, is_current: IsCurrent) -> Iterator[str]:
    """Stream the difference of two models on a text. Raises ValueError, Superseded."""
    pair = load_pair(store, query)
    source, notice = input_text(store, pair, given_text(query, MAX_ANALYSIS_CHARS))
    text = source.text
    saved = saved_groups(pair)
    words = " ".join(filter(None, [describe_saved(saved), f"Reading {len(text):,} characters …"]))
    yield message(query.number, words, busy=True)
    with store.exclusive(differences, is_current):
        a_bits, b_bits = (bits_of(store, loaded, text, is_current) for loaded in pair)
    require_current(is_current)
    difference = Difference(text, a_bits, b_bits)
    yield _encode(query, difference, describe_difference(difference.whole(), source, pair), notice, saved)


def saved_groups(pair: Sequence[LoadedModel]) -> list[GroupMean]:
    """Load the saved difference on the held-out text, by class; empty if absent."""
    are_last = all(loaded.checkpoint.step == loaded.info.step for loaded in pair)
    if not are_last or pair[0].info.sha256 == pair[1].info.sha256:
        return []
    try:
        a, b = (loaded.info.analyses.sections["bits"] for loaded in pair)
        return difference_by_kind(a, b)
    except (KeyError, ValueError):
        return []


def describe_saved(groups: Sequence[GroupMean]) -> str:
    """Describe the saved difference: the better model, its largest gain and loss."""
    if not groups:
        return ""
    whole, *kinds = groups
    text = f"On {whole.characters:,} held-out characters"
    if abs(whole.delta_bits) <= (whole.margin_bits or 0):
        return f"{text} no difference beyond the 95 % interval: Δ = {signed_with_margin(whole)} bits per character."
    better, worse = ("B", "A") if whole.delta_bits > 0 else ("A", "B")
    gains = [group for group in kinds if group.delta_bits * whole.delta_bits > 0 and is_clear(group)]
    losses = [group for group in kinds if group.delta_bits * whole.delta_bits < 0 and is_clear(group)]
    words = f"{text} {better} needs {size_with_margin(whole)} bits per character fewer than {worse} (95 %)"
    if gains:
        gain = max(gains, key=lambda group: group.characters * abs(group.delta_bits))
        words += f", mostly at “{gain.name}” ({size_with_margin(gain)} each)"
    if losses:
        loss = max(losses, key=lambda group: group.characters * abs(group.delta_bits))
        words += f"; {worse} is better at “{loss.name}” ({size_with_margin(loss)} each)"
    return words + "."


def is_clear(group: GroupMean) -> bool:
    """Check if the 95 % interval of the difference excludes 0."""
    return group.margin_bits is not None and abs(group.delta_bits) > group.margin_bits


def size_with_margin(group: GroupMean) -> str:
    """Format the size of a mean Δ with the margin of its 95 % interval."""
    return signed_with_margin(group._replace(delta_bits=abs(group.delta_bits))).removeprefix("+")


def _encode(query: ViewQuery, difference: Difference, words: str, notice: str, saved: Sequence[GroupMean]) -> str:
    from charrnn import figures  # plotly is slow to import: only when needed

    kinds = difference.by_kind()
    return message(
        query.number,
        " ".join(filter(None, [describe_saved(saved), words, notice])),
        part=1,
        figure=figures.delta_bits_figure(kinds, query.width),
        text=difference.text,
        bits=[np.round(1000 * bits).astype(int).tolist() for bits in (difference.a_bits, difference.b_bits)],
        kinds=[KINDS.index(kind) for kind in difference.kinds],
        kind_names=KINDS,
        figure_words=figures.describe_delta_bits(kinds),
        table=_table([difference.whole(), *kinds, *difference.by_context()], saved).to_json(),
    )


def describe_difference(whole: GroupMean, source: SourceText, pair: Sequence[LoadedModel]) -> str:
    """Describe the mean on a text, with a note if A or B generated it."""
    delta = signed(whole.delta_bits)
    better = {"+": "B predicts better.", "−": "A predicts better."}.get(delta[0], "No difference.")
    if delta[0] in "+−" and whole.margin_bits is not None and not is_clear(whole):
        better = "Neither is clearly better: the interval holds 0."
    writers = " and ".join(name for name, loaded in zip(NAMES, pair, strict=True) if source.is_by(loaded))
    if writers:
        better += f" {writers} wrote this text, and a network predicts its own samples better than others do."
    mean = f"On this text {describe_mean(whole, source.origin)}"
    return f"{mean}: A needs {whole.a_bits:.3f} bits, B needs {whole.b_bits:.3f}. {better}"


def _table(groups: Sequence[GroupMean], saved: Sequence[GroupMean]) -> Table:
    rows = [(group.name if group.name[0].isalpha() else f"positions {group.name}", group) for group in groups]
    rows += [(f"held-out text: {group.name}", group) for group in saved]
    return difference_table("Averages by kind of character and by position", ("A", "B"), rows)
