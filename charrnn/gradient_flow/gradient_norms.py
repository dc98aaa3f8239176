"""
Gradient norms per lag: ‖∂ℓ_T/∂state_{T−k}‖ over many positions T.

The loss is that of a single position: in a sum of losses the nearby ones would hide the decay. The state is h, for an
LSTM h and c together; MiniGPT has none, so the input of its first block is used. Bengio et al. 1994, Pascanu et al.
2013.
"""

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from charrnn.analysis_record import MAX_INTEGER, AnalysisRecord
from charrnn.bootstrap import (
    Interval,
    interval_facts,
    interval_from_record,
    percentile_interval,
    positions_within,
    resample_counts,
    weighted_medians,
    with_interval,
)
from charrnn.chunked_logits import chunk_size, loss_gradients
from charrnn.gradient_flow.backward import backward_pass
from charrnn.minigpt import MiniGPT
from charrnn.model import CharRNN
from charrnn.registry import Network

HALF, HORIZON = 0.5, 0.01
MAX_LAG, POSITIONS = 128, 512
CURVES = ("median", "low", "high", "geometric_mean")
TAIL = (32, 128)  # lags of the curve's tail
BLOCK_CHARS = 64  # drawn together for the intervals: beyond 40 characters the norms at two positions are uncorrelated
READ_AT_ONCE = 16_384  # characters whose steps are in memory; affects memory use only
WINDOWS_AT_ONCE = 32  # windows of MiniGPT at once; affects memory use only


@dataclass(frozen=True)
class GradientFlow:
    """
    Gradient norms by lag, relative to lag 0, over positions of a text; (K+1,).

    Lags in characters. half_life_chars: lag at which the median falls to 1/2; horizon_chars: to 1 %. Both are
    log-interpolated between lags; None if not reached within K lags. Their intervals are those of the bootstrap over
    positions, an end infinite if not reached; None if the positions span too little text.
    """

    lags: np.ndarray
    median: np.ndarray
    low: np.ndarray  # 10th percentile
    high: np.ndarray  # 90th percentile
    geometric_mean: np.ndarray
    positions: int
    half_life_chars: float | None
    horizon_chars: float | None
    half_life_interval: Interval | None = None
    horizon_interval: Interval | None = None

    def describe_half_life(self) -> str:
        """Format the half-life in characters, with its interval."""
        return (
            "never" if self.half_life_chars is None else self._describe(self.half_life_chars, self.half_life_interval)
        )

    def describe_halving(self) -> str:
        """Describe the half-life as a verb phrase about the gradient."""
        never = self.half_life_chars is None
        return "never halves" if never else f"has halved after {self.describe_half_life()} characters"

    def describe_horizon(self) -> str:
        """Format the horizon in characters, with its interval."""
        beyond = self._format_lag(math.inf)
        return beyond if self.horizon_chars is None else self._describe(self.horizon_chars, self.horizon_interval)

    def _describe(self, lag: float, interval: Interval | None) -> str:
        return with_interval(self._format_lag(lag), interval, self._format_lag)

    def _format_lag(self, lag: float) -> str:
        return f"> {self.lags[-1]}" if math.isinf(lag) else f"{lag:.1f}"


def gradient_flow(
    model: Network, ids: Sequence[int], max_lag: int = MAX_LAG, positions: int = POSITIONS
) -> GradientFlow:
    """
    Measure the gradient flow of a model on a text, in float64.

    ids: at least max_lag + 2 characters. Positions T >= max_lag are spread evenly over the text. For MiniGPT they
    also have a full context before them if the text is long enough. Raises ValueError for a shorter text and for a
    loss without gradient.
    """
    context = model.context - 1 if isinstance(model, MiniGPT) else 0  # characters read before a position
    before = max(max_lag, context) if len(ids) >= context + 2 else max_lag
    measured_at = spread_positions(ids, before, positions)
    norms = norms_by_lag(model, torch.as_tensor(ids), measured_at, max_lag)
    if not norms[0].all():
        raise ValueError("the loss has no gradient on this text: the model predicts a character with certainty")
    relative = (norms / norms[0]).numpy()  # (K+1, P)
    low, median, high = np.quantile(relative, [0.1, 0.5, 0.9], axis=1)
    with np.errstate(divide="ignore"):
        geometric_mean = np.exp(np.log(relative).mean(axis=1))  # 0 if any is 0
    half_life, horizon = crossing_intervals(relative, positions_within(measured_at.tolist(), BLOCK_CHARS))
    return GradientFlow(
        lags=np.arange(max_lag + 1),
        median=median,
        low=low,
        high=high,
        geometric_mean=geometric_mean,
        positions=relative.shape[1],
        half_life_chars=first_crossing(median, HALF),
        horizon_chars=first_crossing(median, HORIZON),
        half_life_interval=half_life,
        horizon_interval=horizon,
    )


def norms_by_lag(model: Network, ids: Tensor, positions: Tensor, max_lag: int) -> Tensor:
    """
    Return ‖∂ℓ_T/∂state_{T−k}‖ for k = 0 … max_lag, float64.

    ℓ_T: loss of the character after position T. ids (N,), positions (P,) with max_lag <= T <= N - 2 -> (max_lag + 1,
    P).
    """
    exact = copy.deepcopy(model).double().requires_grad_(False)
    if isinstance(exact, MiniGPT):
        return _norms_through_attention(exact, ids, positions, max_lag)
    return _norms_through_time(exact, ids, positions, max_lag)


@torch.no_grad()
def _norms_through_time(model: CharRNN, ids: Tensor, positions: Tensor, max_lag: int) -> Tensor:
    """Backpropagate from all positions of the text, piece by piece."""
    norms = torch.zeros(max_lag + 1, len(positions), dtype=torch.float64)
    start, state = 0, None  # the state before ids[start]
    for first in range(0, int(positions.max()) + 1, READ_AT_ONCE):
        end = min(first + READ_AT_ONCE, len(ids))
        inside = ((positions >= first) & (positions < end)).nonzero()[:, 0]
        backprop = backward_pass(model, ids[start:end], state)
        at, targets = positions[inside] - start, ids[positions[inside] + 1]
        d_state = backprop.state_gradient(loss_gradients(model.head, backprop.h[at], targets))
        norms[0, inside] = _norm(d_state)
        for lag in range(max_lag if len(at) else 0):
            d_state = backprop.step_back(d_state, at - lag)
            norms[lag + 1, inside] = _norm(d_state)
        kept = end - max_lag - start  # the next piece repeats the last max_lag characters
        if kept > 0:
            states = backprop.states
            start, state = start + kept, type(states)(*(part[kept - 1 : kept] for part in states))
    return norms


def _norm(d_state: Sequence[Tensor]) -> Tensor:
    """Return the norm over all parts of a state (P, H): (P,)."""
    return torch.cat(tuple(d_state), dim=-1).norm(dim=-1)


def _norms_through_attention(model: MiniGPT, ids: Tensor, positions: Tensor, max_lag: int) -> Tensor:
    """
    Backpropagate through a window that ends at each position.

    All windows have the length of the context, or of the text up to the first position.
    """
    length = min(model.context, int(positions.min()) + 1)
    norms = torch.zeros(max_lag + 1, len(positions), dtype=torch.float64)
    lags = min(max_lag + 1, length)
    for chunk in torch.arange(len(positions)).split(chunk_size(length * model.head.out_features, WINDOWS_AT_ONCE)):
        window = ids[positions[chunk, None] + torch.arange(1 - length, 1)]  # (p, length)
        x, logits = read_from_embedded(model, window)
        loss = torch.nn.functional.cross_entropy(logits[:, -1], ids[positions[chunk] + 1], reduction="sum")
        (d_x,) = torch.autograd.grad(loss, x)
        norms[:lags, chunk] = d_x.norm(dim=-1).flip(1).t()[:lags]
    return norms


def read_from_embedded(model: MiniGPT, ids: Tensor) -> tuple[Tensor, Tensor]:
    """
    Return the embedded ids (B, T, d), an autograd leaf, and the logits.

    ids (B, T). Raises ValueError if the network embeds the text more than once.
    """
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
        raise ValueError(f"this network embeds a text {len(embedded)} times: its input gradient is not defined")
    return embedded[0], logits


def first_crossing(curve: np.ndarray, level: float) -> float | None:
    """
    Return the first lag at which the curve (K+1,) reaches the level, or None.

    Log-linear between lags.
    """
    below = np.flatnonzero(curve <= level)
    if not len(below):
        return None
    k = int(below[0])
    if k == 0 or curve[k] <= 0:
        return float(k)
    before, after = math.log(curve[k - 1]), math.log(curve[k])
    return k - 1 + (before - math.log(level)) / (before - after)


def crossing_intervals(relative: np.ndarray, block: int) -> list[Interval | None]:
    """
    Return the intervals of half-life and horizon: relative norms (K+1, P).

    block: neighboring positions drawn together. None for too few positions.
    """
    counts = resample_counts(relative.shape[1], block)
    if counts is None:
        return [None, None]
    return [percentile_interval(resampled_crossings(relative, counts, level)) for level in (HALF, HORIZON)]


def resampled_crossings(relative: np.ndarray, counts: np.ndarray, level: float) -> np.ndarray:
    """
    Return the first crossing of the median in each resample: counts (R, P) -> (R,).

    relative (K+1, P); inf where the median does not reach the level. The medians are computed only at the two lags
    around the crossing.
    """
    share, half = counts @ (relative <= level).T, counts.sum(axis=1, keepdims=True) / 2
    below = share > half  # (R, K+1): where the median is at or below the level
    for lag in np.flatnonzero((share == half).any(axis=0)):  # a median between two values
        rows = np.flatnonzero(share[:, lag] == half[:, 0])
        below[rows, lag] = weighted_medians(relative[lag], counts[rows]) <= level
    lag_of, found = np.where(below.any(axis=1), below.argmax(axis=1), -1), np.full(len(counts), math.inf)
    for lag in np.unique(lag_of[lag_of >= 0]):
        rows = np.flatnonzero(lag_of == lag)
        if lag == 0:
            found[rows] = 0.0
            continue
        before, after = (weighted_medians(relative[k], counts[rows]) for k in (lag - 1, lag))
        with np.errstate(divide="ignore"):
            fraction = np.log(before / level) / np.log(before / after)  # 0 if nothing is left at the lag
        found[rows] = np.where(after > 0, lag - 1 + fraction, lag)
    return found


def tail_slope(flow: GradientFlow, first: int = TAIL[0], last: int = TAIL[1]) -> float:
    """
    Return the slope of the log geometric mean over lags first … last, nats/char.

    A least-squares line. At long lags it equals the first Lyapunov exponent, once the gradient has aligned with that
    direction.
    """
    tail = slice(first, last + 1)
    return float(np.polyfit(flow.lags[tail], np.log(flow.geometric_mean[tail]), 1)[0])


def flow_record(flow: GradientFlow, characters: int) -> AnalysisRecord:
    """
    Convert to a record stored beside a checkpoint.

    characters: length of the text that was read.
    """
    facts = {
        "positions": flow.positions,
        "characters_read": characters,
        "half_life_chars": flow.half_life_chars,
        "horizon_chars": flow.horizon_chars,
        **interval_facts("half_life", flow.half_life_interval),
        **interval_facts("horizon", flow.horizon_interval),
    }
    return AnalysisRecord(facts, {"curve": {name: getattr(flow, name).tolist() for name in CURVES}})


def flow_from_record(record: AnalysisRecord) -> GradientFlow:
    """Restore a gradient flow. Raises RecordError if values are missing or too few."""
    curves = {name: np.array(record.numbers("curve", name, 0, MAX_INTEGER, MAX_LAG + 1)) for name in CURVES}
    return GradientFlow(
        lags=np.arange(len(curves["median"])),
        **curves,
        positions=int(record.number("positions", 1)),
        half_life_chars=record.number_or_none("half_life_chars", 0),
        horizon_chars=record.number_or_none("horizon_chars", 0),
        half_life_interval=interval_from_record(record, "half_life"),
        horizon_interval=interval_from_record(record, "horizon"),
    )


def spread_positions(ids: Sequence[int], max_lag: int, count: int) -> Tensor:
    """
    Return up to `count` positions (P,), spread evenly over a text.

    Each has max_lag characters before it and one after it. Raises ValueError if there is none.
    """
    if len(ids) < max_lag + 2:
        raise ValueError(f"the text has {len(ids)} characters: give at least {max_lag + 2}")
    first, last = max_lag, len(ids) - 2
    return torch.linspace(first, last, min(count, last - first + 1), dtype=torch.float64).round().long()
