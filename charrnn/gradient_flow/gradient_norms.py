"""
How far back the gradient reaches.

One loss at one position T, looked at from k characters earlier: ‖∂ℓ_T/∂state_{T−k}‖, over many positions. The state is
h, of an LSTM h and c together; MiniGPT carries none, there it is the input of the first block. Never the gradient of a
summed loss: the nearby losses in the sum would hide the decay. Bengio et al. 1994, Pascanu et al. 2013.
"""

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from charrnn.analysis_record import LARGEST, AnalysisRecord
from charrnn.chunked_logits import at_once, loss_gradients
from charrnn.gradient_flow.backward import way_back
from charrnn.minigpt import MiniGPT
from charrnn.model import CharRNN
from charrnn.registry import Network

HORIZON = 0.01
MAX_LAG, POSITIONS = 128, 512
KEPT = ("median", "low", "high", "geometric_mean")
TAIL = (32, 128)  # lags at which the curve is called its tail
WINDOWS_AT_ONCE = 32  # of MiniGPT's: a matter of memory alone


@dataclass(frozen=True)
class GradientFlow:
    """
    Gradient norms against the lag, relative to lag 0, over positions of one text; all arrays (K+1,).

    Lags in characters. half_life_chars: where the median falls to 1/2; horizon_chars: to 1 %; both interpolated between
    lags on the logarithm, None where it never does within the K lags.
    """

    lags: np.ndarray
    median: np.ndarray
    low: np.ndarray  # 10th percentile
    high: np.ndarray  # 90th percentile
    geometric_mean: np.ndarray
    positions: int
    half_life_chars: float | None
    horizon_chars: float | None


def gradient_flow(
    model: Network, ids: Sequence[int], max_lag: int = MAX_LAG, positions: int = POSITIONS
) -> GradientFlow:
    """
    The gradient flow of a model that reads a text, in float64, from its own state at every position.

    ids: the text, max_lag + 2 characters at least; the positions T >= max_lag are spread evenly over it, all of them
    where it has fewer. MiniGPT's have a whole context before them too, in a text that is long enough. Raises ValueError
    for a shorter text, and where a loss has no gradient at all.
    """
    whole = model.context - 1 if isinstance(model, MiniGPT) else 0  # characters before a position that it reads as well
    before = max(max_lag, whole) if len(ids) >= whole + 2 else max_lag
    norms = gradient_norms(model, torch.as_tensor(ids), spread(ids, before, positions), max_lag)
    if not norms[0].all():
        raise ValueError(
            "the loss has no gradient here: the model is certain of a character, so there is nothing to learn"
        )
    relative = (norms / norms[0]).numpy()  # (K+1, P)
    low, median, high = np.quantile(relative, [0.1, 0.5, 0.9], axis=1)
    with np.errstate(divide="ignore"):
        geometric_mean = np.exp(np.log(relative).mean(axis=1))  # 0 where one of them is
    return GradientFlow(
        lags=np.arange(max_lag + 1),
        median=median,
        low=low,
        high=high,
        geometric_mean=geometric_mean,
        positions=relative.shape[1],
        half_life_chars=first_crossing(median, 0.5),
        horizon_chars=first_crossing(median, HORIZON),
    )


def gradient_norms(model: Network, ids: Tensor, positions: Tensor, max_lag: int) -> Tensor:
    """
    ‖∂ℓ_T/∂state_{T−k}‖ for the loss of the character after each position T and k = 0 … max_lag, float64.

    ids (N,), positions (P,) with max_lag <= T <= N - 2 -> (max_lag + 1, P).
    """
    exact = copy.deepcopy(model).double().requires_grad_(False)
    if isinstance(exact, MiniGPT):
        return _norms_through_attention(exact, ids, positions, max_lag)
    return _norms_through_time(exact, ids, positions, max_lag)


@torch.no_grad()
def _norms_through_time(model: CharRNN, ids: Tensor, positions: Tensor, max_lag: int) -> Tensor:
    """The text is read once; the positions go back through it side by side."""
    walk = way_back(model, ids)
    d_state = walk.from_h(loss_gradients(model.head, walk.h[positions], ids[positions + 1]))
    norms = [_norm(d_state)]
    for lag in range(max_lag):
        d_state = walk.back(d_state, positions - lag)
        norms.append(_norm(d_state))
    return torch.stack(norms)


def _norm(d_state: Sequence[Tensor]) -> Tensor:
    """Of the parts of a state (P, H) together: (P,)."""
    return torch.cat(tuple(d_state), dim=-1).norm(dim=-1)


def _norms_through_attention(model: MiniGPT, ids: Tensor, positions: Tensor, max_lag: int) -> Tensor:
    """
    Each position is the last of a window, and autograd goes back through it: all as long as the context, or as the text
    up to the first position.
    """
    length = min(model.context, int(positions.min()) + 1)
    norms = torch.zeros(max_lag + 1, len(positions), dtype=torch.float64)
    seen = min(max_lag + 1, length)
    for some in torch.arange(len(positions)).split(at_once(length * model.head.out_features, WINDOWS_AT_ONCE)):
        window = ids[positions[some, None] + torch.arange(1 - length, 1)]  # (p, length)
        x, logits = read_from_embedded(model, window)
        loss = torch.nn.functional.cross_entropy(logits[:, -1], ids[positions[some] + 1], reduction="sum")
        (d_x,) = torch.autograd.grad(loss, x)
        norms[:seen, some] = d_x.norm(dim=-1).flip(1).t()[:seen]
    return norms


def read_from_embedded(model: MiniGPT, ids: Tensor) -> tuple[Tensor, Tensor]:
    """The embedded characters of ids (B, T), a leaf of autograd's, (B, T, d), and the logits that `forward` makes."""
    embedded: list[Tensor] = []

    def as_leaf(_: torch.nn.Module, inputs: tuple[Tensor, ...], x: Tensor) -> Tensor:
        embedded.append(x.detach().requires_grad_())
        return embedded[-1]

    hook = model.embed.register_forward_hook(as_leaf)
    try:
        logits = model(ids)[0]
    finally:
        hook.remove()
    if len(embedded) != 1:
        raise ValueError(f"this network embeds a text {len(embedded)} times: its gradient cannot be followed to there")
    return embedded[0], logits


def first_crossing(curve: np.ndarray, level: float) -> float | None:
    """The first lag at which the curve (K+1,) is down to the level, log-linear between lags; None if it never is."""
    below = np.flatnonzero(curve <= level)
    if not len(below):
        return None
    k = int(below[0])
    if k == 0 or curve[k] <= 0:
        return float(k)
    before, after = math.log(curve[k - 1]), math.log(curve[k])
    return k - 1 + (before - math.log(level)) / (before - after)


def tail_slope(flow: GradientFlow, first: int = TAIL[0], last: int = TAIL[1]) -> float:
    """
    How the geometric mean falls far back, in nats a character: the slope of the straight line through its logarithm.

    Least squares over lags first … last: the first Lyapunov exponent, once the gradient has turned to where it lasts.
    """
    far = slice(first, last + 1)
    return float(np.polyfit(flow.lags[far], np.log(flow.geometric_mean[far]), 1)[0])


def flow_record(flow: GradientFlow, characters: int) -> AnalysisRecord:
    """What is kept of a gradient flow beside a checkpoint; characters: of the text that it was measured on."""
    facts = {
        "positions": flow.positions,
        "characters_read": characters,
        "half_life_chars": flow.half_life_chars,
        "horizon_chars": flow.horizon_chars,
    }
    return AnalysisRecord(facts, {"curve": {name: getattr(flow, name).tolist() for name in KEPT}})


def flow_from_record(found: AnalysisRecord) -> GradientFlow:
    """What was kept, as it was measured. Raises FindingsError where it is something else, or shorter."""
    curves = {name: np.array(found.numbers("curve", name, 0, LARGEST, MAX_LAG + 1)) for name in KEPT}
    return GradientFlow(
        lags=np.arange(len(curves["median"])),
        **curves,
        positions=int(found.number("positions", 1)),
        half_life_chars=found.number_or_none("half_life_chars", 0),
        horizon_chars=found.number_or_none("horizon_chars", 0),
    )


def spread(ids: Sequence[int], max_lag: int, count: int) -> Tensor:
    """
    That many positions (P,), or all there are, spread evenly over a text: each with max_lag characters before it and
    one after it. Raises ValueError where there is none.
    """
    if len(ids) < max_lag + 2:
        raise ValueError(f"the text has {len(ids)} characters: {max_lag} lags take at least {max_lag + 2}")
    first, last = max_lag, len(ids) - 2
    return torch.linspace(first, last, min(count, last - first + 1), dtype=torch.float64).round().long()
