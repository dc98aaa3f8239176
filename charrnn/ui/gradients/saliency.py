"""Gradients, where it goes: what each character of a text means to one logit, for two models on one scale."""

import math
from collections.abc import Iterator, Sequence
from functools import partial

from charrnn.gradient_flow import character_heat
from charrnn.ui.server.analyses import MAX_LAG, text_for
from charrnn.ui.server.checkpoint_store import LoadedModel, Store
from charrnn.ui.server.model_pair import known_to_both, pickers, sides
from charrnn.ui.server.source_text import SourceText, given_text
from charrnn.ui.server.streaming import add_part, answer
from charrnn.ui.server.validation import count_of
from charrnn.ui.server.view_query import ViewQuery, Wanted

LONGEST = 240  # characters that are shown, each with what all before it meant
PIECE = 40  # characters that are worked out at once, the same ones wherever the cursor is: who no longer waits can stop


def build(store: Store) -> None:
    """Lay out the part and let it answer."""
    add_part("cr-where", "gradients/saliency", partial(heats, store))


def heats(store: Store, question: ViewQuery, wanted: Wanted) -> Iterator[str]:
    """
    The answers to a question: what stands before the character at the cursor first, then a piece of the others each.

    Raises ValueError for models that are not there and a text that is too short.
    """
    readers = sides(store, question)
    source, note = passage(store, readers, question)
    text = source.text
    told = {**pickers(store, readers), "text": text}
    words = " ".join(filter(None, [f"{len(text)} characters of {source.origin}.", note]))
    cursor = min(max(1, count_of("position", question.form)), len(text) - 1)
    todo = [(cursor,), *pieces(len(text), cursor)]
    for part, targets in enumerate(todo):
        with store.turn(heats, wanted):
            heat = [store.cache.compute(heat_of, reader, text, targets) for reader in readers]
        busy = part < len(todo) - 1
        yield answer(question.number, words, part, busy=busy, targets=targets, heat=heat, **told)


def passage(store: Store, readers: Sequence[LoadedModel], question: ViewQuery) -> tuple[SourceText, str]:
    """The text that both read, and what of it they do not. Raises ValueError."""
    source = (given_text(question, LONGEST) or text_for(store, readers[0])).first(LONGEST)
    text, note = known_to_both(readers, source.text)
    if len(text) < 2:
        raise ValueError("give a text of 2 characters or more that both models know")
    if question.form.get("of") == "write":
        note = f"The cursor of Write is the one here. {note}".rstrip()
    return source.with_text(text), note


def pieces(length: int, cursor: int) -> list[tuple[int, ...]]:
    """All characters that something stands before, in stretches, those near the cursor first."""
    stretches = [tuple(range(first, min(first + PIECE, length))) for first in range(1, length, PIECE)]
    return sorted(stretches, key=lambda stretch: min(abs(target - cursor) for target in stretch))


def heat_of(reader: LoadedModel, text: str, targets: Sequence[int]) -> tuple[tuple[int | None, ...], ...]:
    """
    For each target character: what the one before it, two before it, … meant to its logit, in hundredths of a decade.

    A null where that is exactly nothing.
    """
    heat = character_heat(reader.checkpoint.model, reader.vocab.encode(text), targets, MAX_LAG)  # (K + 1, targets)
    return tuple(
        tuple(round(100 * math.log10(norm)) if norm > 0 else None for norm in column[:target].tolist())
        for target, column in zip(targets, heat.T, strict=True)
    )
