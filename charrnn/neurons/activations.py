"""Activations of a network's units over a text."""

from collections.abc import Iterator, Sequence

import numpy as np

from charrnn.chunked_logits import chunk_size
from charrnn.surprisal import TraceDecoder

CHUNK_CHARS = 512  # characters read at once; a caller can stop between chunks


def iter_activations(
    decoder: TraceDecoder, ids: Sequence[int], names: Sequence[str]
) -> Iterator[dict[str, np.ndarray]]:
    """Yield activations (n, U) of each name, chunk by chunk, from the initial state."""
    output = decoder.prefill([])
    state, size = output.state, chunk_size(len(output.logits), CHUNK_CHARS)
    for first in range(0, len(ids), size):
        trace = decoder.read(ids[first : first + size], state)
        state = trace.end.state
        yield {name: trace.activations[name] for name in names}


def all_activations(decoder: TraceDecoder, ids: Sequence[int], name: str) -> np.ndarray:
    """Return all activations of one name, (N, U)."""
    return np.concatenate([chunk[name] for chunk in iter_activations(decoder, ids, [name])])
