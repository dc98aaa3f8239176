"""Gradients, saliency: influence of each character on one logit, for two models."""

import math
from collections.abc import Iterator, Sequence

from charrnn.gradient_flow import character_saliency
from charrnn.ui.server.analyses import MAX_LAG, text_for
from charrnn.ui.server.checkpoint_store import LoadedModel, Store
from charrnn.ui.server.model_pair import known_to_both, load_pair
from charrnn.ui.server.request_parameters import count_of
from charrnn.ui.server.source_text import SourceText, given_text
from charrnn.ui.server.streaming import message
from charrnn.ui.server.view_query import IsCurrent, ViewQuery

MAX_CHARS = 240
CHUNK = 40  # characters; a superseded query stops after a chunk. Chunks do not depend on the cursor, for the cache


def saliencies(store: Store, query: ViewQuery, is_current: IsCurrent) -> Iterator[str]:
    """Stream the results: the character at the cursor first, then the others.

    Raises ValueError for unknown models and texts that are too short, Superseded.
    """
    pair = load_pair(store, query)
    source, note = input_text(store, pair, query)
    text = source.text
    words = " ".join(filter(None, [f"{len(text)} characters of {source.origin}.", note]))
    cursor = min(max(1, count_of("position", query.form)), len(text) - 1)
    todo = [(cursor,), *chunks(len(text), cursor)]
    for part, targets in enumerate(todo):
        with store.exclusive(saliencies, is_current):
            heat = [store.cache.compute(log_saliency, loaded, text, targets) for loaded in pair]
        busy = part < len(todo) - 1
        yield message(query.number, words, part, busy=busy, targets=targets, heat=heat, text=text)


def input_text(store: Store, pair: Sequence[LoadedModel], query: ViewQuery) -> tuple[SourceText, str]:
    """Return the text known to both models, and a notice. Raises ValueError."""
    source = (given_text(query, MAX_CHARS) or text_for(store, pair[0])).first(MAX_CHARS)
    text, note = known_to_both(pair, source.text)
    if len(text) < 2:
        raise ValueError("the text is too short: give 2 characters or more that both networks know")
    if query.form.get("of") == "write":
        note = f"The cursor is shared with Write. {note}".rstrip()
    return source.with_text(text), note


def chunks(length: int, cursor: int) -> list[tuple[int, ...]]:
    """Split the target positions into chunks, those near the cursor first."""
    positions = [tuple(range(first, min(first + CHUNK, length))) for first in range(1, length, CHUNK)]
    return sorted(positions, key=lambda chunk: min(abs(target - cursor) for target in chunk))


def log_saliency(loaded: LoadedModel, text: str, targets: Sequence[int]) -> tuple[tuple[int | None, ...], ...]:
    """Return the saliency of all previous characters for each target.

    In hundredths of a decade, the nearest character first; None for a saliency of 0.
    """
    saliency = character_saliency(loaded.checkpoint.model, loaded.vocab.encode(text), targets, MAX_LAG)  # (K+1, N)
    return tuple(
        tuple(round(100 * math.log10(norm)) if norm > 0 else None for norm in column[:target].tolist())
        for target, column in zip(targets, saliency.T, strict=True)
    )
