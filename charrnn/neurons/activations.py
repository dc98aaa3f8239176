"""Activations of a network's units over a text."""

from collections.abc import Iterator, Sequence

import numpy as np

from charrnn.chunked_logits import at_once
from charrnn.surprisal import TraceDecoder

PIECE = 512  # characters read at once: the time between two chances to stop


def iter_activations(
    decoder: TraceDecoder, ids: Sequence[int], names: Sequence[str]
) -> Iterator[dict[str, np.ndarray]]:
    """Yield activations (n, U) of each name, piece by piece, from the initial state."""
    output = decoder.prefill([])
    state, piece = output.state, at_once(len(output.logits), PIECE)
    for first in range(0, len(ids), piece):
        trace = decoder.read(ids[first : first + piece], state)
        state = trace.end.state
        yield {name: trace.activations[name] for name in names}


def all_activations(decoder: TraceDecoder, ids: Sequence[int], name: str) -> np.ndarray:
    """Return all activations of one name, (N, U)."""
    return np.concatenate([piece[name] for piece in iter_activations(decoder, ids, [name])])
