"""Training loss and the two validation losses."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from charrnn.chunked_logits import chunk_size
from charrnn.corpus import contiguous_streams, windows_in_order
from charrnn.registry import Network

VAL_STREAMS = 64
VAL_WINDOW = 256
CHUNK, COLD_BATCH = 512, 128  # chunk sizes; they affect memory use only
Read = Callable[[int], object]


def loss_nats(
    model: Network, x: Tensor, y: Tensor, state: Any = None, rng: torch.Generator | None = None
) -> tuple[Tensor, Any]:
    """
    Return the mean cross-entropy of y (B, T) given x (B, T), and the last state.

    Reading starts from `state`. Applies dropout if `rng` is given.
    """
    logits, state = model.fast_forward(x, state, rng=rng)
    loss = F.cross_entropy(logits.transpose(0, 1).flatten(0, 1), y.t().flatten())  # time first: as the cells leave it
    return loss, state


@torch.no_grad()
def evaluate_stream(model: Network, ids: Tensor, read: Read = lambda characters: None) -> float:
    """
    Return nats per character over 64 contiguous streams with carried state.

    ids (N,). The first character of a stream is not scored. A short text is cut into fewer streams. read: called with
    the number of characters of each part that was read.
    """
    streams = contiguous_streams(ids, max(1, min(VAL_STREAMS, len(ids) // VAL_WINDOW)))
    chunk = chunk_size(model.head.out_features, CHUNK)
    total = 0.0
    for rows in streams.split(chunk_size(chunk * model.head.out_features, VAL_STREAMS)):
        state = None
        for start in range(0, rows.shape[1] - 1, chunk):
            x = rows[:, start : min(start + chunk, rows.shape[1] - 1)]
            y = rows[:, start + 1 : start + 1 + x.shape[1]]
            loss, state = loss_nats(model, x, y, state)
            total += loss.item() * x.numel()
            read(x.numel())
    return total / (streams.shape[0] * (streams.shape[1] - 1))


@torch.no_grad()
def evaluate_cold(model: Network, ids: Tensor, read: Read = lambda characters: None) -> float:
    """
    Return nats per character over separate windows of 256 characters.

    Each window starts from the initial state. read: as for `evaluate_stream`.
    """
    windows = windows_in_order(ids, min(VAL_WINDOW, len(ids) - 1))
    batches = zip(
        *(part.split(chunk_size(VAL_WINDOW * model.head.out_features, COLD_BATCH)) for part in windows), strict=True
    )
    total = 0.0
    for x, y in batches:
        total += loss_nats(model, x, y)[0].item() * len(x)
        read(x.numel())
    return total / len(windows[0])
