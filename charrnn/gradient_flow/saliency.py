"""
Input saliency: ‖∂logit_T/∂x_{T−k}‖ for each character that was read.

The logit is that of the character after T, x the embedding of a character. To compare models whose embeddings differ
in size, the norm is multiplied by the mean distance between two characters: the first-order change of the logit if a
character is replaced.
"""

import copy
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from charrnn.chunked_logits import chunk_size
from charrnn.gradient_flow.backward import backward_pass
from charrnn.gradient_flow.gradient_norms import read_from_embedded
from charrnn.minigpt import MiniGPT
from charrnn.model import CharRNN
from charrnn.registry import Network

WINDOWS_AT_ONCE = 16  # windows of MiniGPT at once; affects memory use only


def input_saliency(model: Network, ids: Tensor, positions: Tensor, max_lag: int) -> Tensor:
    """
    Return ‖∂logit_T/∂x_{T−k}‖ for k = 0 … max_lag, in float64: (max_lag + 1, P).

    ids (N,), positions (P,) with 0 <= T <= N - 2. Values before the start of the text are 0. MiniGPT reads a window
    of its context that ends at T; values before it are 0.
    """
    exact = copy.deepcopy(model).double().requires_grad_(False)
    if isinstance(exact, MiniGPT):
        return _through_attention(exact, ids, positions, max_lag)
    return _through_time(exact, ids, positions, max_lag)


def character_saliency(model: Network, ids: Sequence[int], targets: Sequence[int], max_lag: int) -> np.ndarray:
    """
    Return the saliency of the characters before each target, in logits.

    The gradient norm times the mean distance of two characters. ids (N,), targets (P,) indices from 1 on -> (max_lag
    + 1, P), nearest character first.
    """
    positions = torch.as_tensor(targets) - 1
    return input_saliency(model, torch.as_tensor(ids), positions, max_lag).numpy() * character_distance(model)


def character_distance(model: Network) -> float:
    """Return the mean distance between two embeddings; 0 for a single character."""
    vectors = model.embed.weight.detach().double()
    count, mode = len(vectors), "donot_use_mm_for_euclid_dist"  # exact
    chunks = vectors.split(chunk_size(count, count))
    total = sum(torch.cdist(chunk, vectors, compute_mode=mode).sum() for chunk in chunks)
    return float(total) / (count * (count - 1)) if count > 1 else 0.0


@torch.no_grad()
def _through_time(model: CharRNN, ids: Tensor, positions: Tensor, max_lag: int) -> Tensor:
    backprop = backward_pass(model, ids[:-1])
    d_state = backprop.state_gradient(model.head.weight[ids[positions + 1]])
    norms = model.head.weight.new_zeros(max_lag + 1, len(positions))
    columns = torch.arange(len(positions))
    for lag in range(min(max_lag, int(positions.max())) + 1):
        within = positions >= lag  # the others have reached the start of the text
        if not within.all():
            d_state = d_state._make(part[within] for part in d_state)
            positions, columns = positions[within], columns[within]
        d_state, d_x = backprop.step_back_with_input(d_state, positions - lag)
        norms[lag, columns] = d_x.norm(dim=-1)
    return norms


def _through_attention(model: MiniGPT, ids: Tensor, positions: Tensor, max_lag: int) -> Tensor:
    norms = model.head.weight.new_zeros(max_lag + 1, len(positions))
    numbers = min(model.context, len(ids)) * model.head.out_features  # logits of a window
    for chunk in torch.arange(len(positions)).split(chunk_size(numbers, WINDOWS_AT_ONCE)):
        ends = positions[chunk]
        starts = (ends - model.context + 1).clamp_min(0)
        length = min(model.context, int(ends.max()) + 1)
        window = ids[(starts[:, None] + torch.arange(length)).clamp_max(len(ids) - 1)]  # after T: no effect
        last = ends - starts
        x, logits = read_from_embedded(model, window)
        (d_x,) = torch.autograd.grad(logits[torch.arange(len(chunk)), last, ids[ends + 1]].sum(), x)
        for column, end, window_norms in zip(chunk.tolist(), last.tolist(), d_x.norm(dim=-1), strict=True):
            by_lag = window_norms[: end + 1].flip(0)[: max_lag + 1]
            norms[: len(by_lag), column] = by_lag
    return norms
