"""How well a network predicts: one loss to learn from, two to compare by."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from charrnn.chunked_logits import at_once
from charrnn.corpus import contiguous_streams, windows_in_order
from charrnn.registry import Network

VAL_STREAMS = 64
VAL_WINDOW = 256
CHUNK, COLD_BATCH = 512, 128  # characters of the streams and windows that are read at once; a matter of memory alone


def loss_nats(
    model: Network, x: Tensor, y: Tensor, state: Any = None, rng: torch.Generator | None = None
) -> tuple[Tensor, Any]:
    """
    The mean cross-entropy of the characters y (B, T) that follow those of x (B, T), read from `state`; the last state.

    Drops out where `rng` is given.
    """
    logits, state = model.fast_forward(x, state, rng=rng)
    loss = F.cross_entropy(logits.transpose(0, 1).flatten(0, 1), y.t().flatten())  # time first: as the cells leave it
    return loss, state


@torch.no_grad()
def evaluate_stream(model: Network, ids: Tensor) -> float:
    """
    Nats per character with the state carried along: ids (N,) as 64 contiguous streams, each read from start to end.

    The first character of a stream is not predicted. A text too short for 64 streams of a window is cut into fewer.
    """
    streams = contiguous_streams(ids, max(1, min(VAL_STREAMS, len(ids) // VAL_WINDOW)))
    chunk = at_once(model.head.out_features, CHUNK)
    total = 0.0
    for rows in streams.split(at_once(chunk * model.head.out_features, VAL_STREAMS)):
        state = None
        for start in range(0, rows.shape[1] - 1, chunk):
            x = rows[:, start : min(start + chunk, rows.shape[1] - 1)]
            y = rows[:, start + 1 : start + 1 + x.shape[1]]
            loss, state = loss_nats(model, x, y, state)
            total += loss.item() * x.numel()
    return total / (streams.shape[0] * (streams.shape[1] - 1))


@torch.no_grad()
def evaluate_cold(model: Network, ids: Tensor) -> float:
    """Nats per character over non-overlapping windows of 256 characters, each from the state before any text."""
    windows = windows_in_order(ids, min(VAL_WINDOW, len(ids) - 1))
    some = zip(
        *(part.split(at_once(VAL_WINDOW * model.head.out_features, COLD_BATCH)) for part in windows), strict=True
    )
    total = sum(loss_nats(model, x, y)[0].item() * len(x) for x, y in some)
    return total / len(windows[0])
