"""
Context use: how much of the preceding text affects a model's predictions.

Effective context length: the loss with only the last n characters, over the same predictions for every n, relative to
the loss with the longest context (Khandelwal et al. 2018, Sharp Nearby, Fuzzy Far Away). The model starts as in
training: a recurrent net from a zero state, MiniGPT with an empty context. In the control, those n characters follow
a shuffled copy of the characters before them.

Corruption: replace one character and measure KL(original ‖ corrupted) of the prediction k characters later. Distances
count from 1, the last character read.
"""

import copy
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from charrnn.analysis_record import AnalysisRecord
from charrnn.bootstrap import (
    Interval,
    interval_facts,
    interval_from_record,
    percentile_interval,
    positions_within,
    resample_counts,
    weighted_means,
    with_interval,
)
from charrnn.chunked_logits import chunk_size, divergences_nats
from charrnn.registry import Network
from charrnn.seeds import seeded

NEGLIGIBLE_NATS, NEGLIGIBLE_SHARE = 0.01, 0.01
MAX_CHARS, PREDICTIONS, STRETCH = 256, 4096, 512  # characters of context; predictions; predictions per piece of text
SHUFFLED = 128  # characters of the shuffled prefix
LAGS, POSITIONS, BEFORE = 128, 4096, 128  # characters followed; replaced characters; characters read before each
MAX_ROWS = 64  # texts read in parallel; affects memory use only
MIN_CURVE_CHARS = 64  # minimum length of a stored curve in characters: figures and tables show the value at 64
BATCH = 64  # consecutive predictions averaged into one sample of the standard error, and drawn together for intervals
CONTEXT_CURVES = {"loss_nats": 0, "excess_nats": -1e3, "excess_error": 0}  # stored curves and their smallest value
CONTEXT_CURVES |= {"shuffled_excess_nats": -1e3, "shuffled_error": 0}
CORRUPTION_CURVES = {"median": 0, "low": 0, "high": 0, "mean": 0}


@dataclass(frozen=True)
class ContextUse:
    """
    Losses with n = 1 … N characters of context, same predictions; arrays (N,).

    The intervals belong to the three effective context lengths, by bootstrap over batches of predictions; None for too
    few.
    """

    loss_nats: np.ndarray
    excess_nats: np.ndarray  # above the loss with N characters
    excess_error: np.ndarray  # its standard error, over batches of consecutive predictions
    shuffled_excess_nats: np.ndarray  # with a shuffled prefix before the n characters
    shuffled_error: np.ndarray
    predictions: int
    ecl_interval: Interval | None = None
    ecl_share_interval: Interval | None = None
    shuffled_ecl_interval: Interval | None = None

    @property
    def n(self) -> np.ndarray:
        """1 … N."""
        return np.arange(1, len(self.loss_nats) + 1)

    @property
    def ecl_chars(self) -> int:
        """Effective context length: more characters gain at most 0.01 nats."""
        return smallest_sufficient_context(self.excess_nats, NEGLIGIBLE_NATS)

    @property
    def ecl_share_chars(self) -> int:
        """Effective context length at 1 % of the loss."""
        return smallest_sufficient_context(self.excess_nats, NEGLIGIBLE_SHARE * float(self.loss_nats[-1]))

    @property
    def shuffled_ecl_chars(self) -> int:
        """Effective context length with a shuffled prefix, at 0.01 nats."""
        return smallest_sufficient_context(self.shuffled_excess_nats, NEGLIGIBLE_NATS)


@dataclass(frozen=True)
class Corruption:
    """KL in nats, k = 1 … K characters after a replaced one: (K,)."""

    median: np.ndarray
    low: np.ndarray  # 10th percentile
    high: np.ndarray  # 90th percentile
    mean: np.ndarray
    positions: int
    felt_interval: Interval | None = None  # of felt_chars, by bootstrap over blocks of positions; None for too few

    @property
    def k(self) -> np.ndarray:
        """1 … K."""
        return np.arange(1, len(self.median) + 1)

    @property
    def felt_chars(self) -> int:
        """Last k at which the median KL exceeds 0.01 nats."""
        return smallest_sufficient_context(self.median, NEGLIGIBLE_NATS) - 1


@dataclass(frozen=True)
class MemoryUsed:
    """Context use and corruption of one model on one text."""

    context: ContextUse
    corruption: Corruption


def memory_used(
    model: Network,
    ids: Sequence[int],
    seed: int,
    longest: int = MAX_CHARS,
    predictions: int = PREDICTIONS,
    positions: int = POSITIONS,
) -> MemoryUsed:
    """
    Measure context use and corruption. Raises ValueError like both.

    seed: of the shuffled prefixes and the replacements.
    """
    rng = seeded(seed)
    use = context_use(model, ids, rng, longest, predictions)
    return MemoryUsed(use, corruption(model, ids, rng, positions=positions))


def smallest_sufficient_context(values: np.ndarray, level: float) -> int:
    """
    Return the smallest n from which no value (N,) exceeds the level.

    N + 1 if the last value does.
    """
    above = np.flatnonzero(np.asarray(values) > level)
    return int(above[-1]) + 2 if len(above) else 1


def describe_length(chars: int, longest: int, interval: Interval | None) -> str:
    """Format a length with its interval; a length above `longest` as `> longest`."""

    def format_chars(value: float) -> str:
        return f"{value:.0f}" if value <= longest else f"> {longest}"

    return with_interval(format_chars(chars), interval, format_chars)


# ------------------------------------------------------------------------------------------------ effective context


def context_use(
    model: Network,
    ids: Sequence[int],
    rng: torch.Generator,
    longest: int = MAX_CHARS,
    predictions: int = PREDICTIONS,
    stretch: int = STRETCH,
) -> ContextUse:
    """
    Measure the effective context on a text.

    About `predictions` predictions, in stretches spread evenly over it. rng: order of the control. Raises ValueError
    for a text that is too short.
    """
    text = torch.as_tensor(ids)
    available = len(text) - longest - SHUFFLED
    if available < BATCH:
        raise ValueError(f"the text has {len(text)} characters: give {longest + SHUFFLED + BATCH} or more")
    stretch = min(stretch, predictions, available) // BATCH * BATCH
    count = max(1, min(predictions, available) // stretch)
    firsts = np.linspace(longest + SHUFFLED, len(text) - stretch, count).astype(int).tolist()
    losses = np.concatenate([context_losses(model, text, first, stretch, longest) for first in firsts], axis=1)
    shuffled = np.concatenate([context_losses(model, text, first, stretch, longest, rng) for first in firsts], axis=1)
    excess, excess_error = _mean_and_error(losses - losses[-1])
    control, control_error = _mean_and_error(shuffled - losses[-1])
    curves = losses.mean(1), excess, excess_error, control, control_error
    return ContextUse(*curves, losses.shape[1], *_length_intervals(losses, shuffled))


def _length_intervals(losses: np.ndarray, shuffled: np.ndarray) -> list[Interval | None]:
    """Return the intervals of the three effective context lengths: losses (N, P)."""
    longest = _batch_means(losses)[-1:]  # (1, batches)
    excess, control = (_batch_means(values) - longest for values in (losses, shuffled))
    counts = resample_counts(longest.shape[1])
    if counts is None:
        return [None, None, None]
    share = NEGLIGIBLE_SHARE * weighted_means(longest, counts)  # (R, 1)
    levels = (excess, NEGLIGIBLE_NATS), (excess, share), (control, NEGLIGIBLE_NATS)
    return [percentile_interval(_sufficient_contexts(weighted_means(each, counts) > level)) for each, level in levels]


def _sufficient_contexts(above: np.ndarray) -> np.ndarray:
    """Return `smallest_sufficient_context` of each row of excesses (R, N)."""
    return np.where(above.any(axis=1), above.shape[1] + 1 - above[:, ::-1].argmax(axis=1), 1)


@torch.no_grad()
def context_losses(
    model: Network, ids: Tensor, first: int, count: int, longest: int, rng: torch.Generator | None = None
) -> np.ndarray:
    """
    Return the losses of `count` characters from ids[first], (longest, count).

    Row n - 1 uses n characters of context. With `rng`, the shuffled preceding characters are read first. A text that
    starts at s predicts character s + n with n characters, for all n at once, so the cost is one step per loss.
    """
    losses = np.full((longest, count), np.nan)
    before = 0 if rng is None else SHUFFLED
    rows_per_chunk = chunk_size((before + longest) * model.head.out_features, MAX_ROWS)
    for starts in torch.arange(first - longest, first + count - 1).split(rows_per_chunk):
        length = min(longest, first + count - 1 - int(starts[0]))
        rows = ids[(starts[:, None] + torch.arange(length + 1)).clamp_max(len(ids) - 1)]  # (b, length + 1)
        read = rows[:, :-1] if rng is None else torch.cat([_shuffled_before(ids, starts, rng), rows[:, :-1]], dim=1)
        logits = model.fast_forward(read)[0][:, -length:]  # (b, length, V)
        nats = F.cross_entropy(logits.transpose(1, 2), rows[:, 1:], reduction="none").numpy()
        n = np.broadcast_to(np.arange(1, length + 1), nats.shape)
        position = starts.numpy()[:, None] + n - first
        inside = (0 <= position) & (position < count)
        losses[n[inside] - 1, position[inside]] = nats[inside]
    return losses


def _shuffled_before(ids: Tensor, starts: Tensor, rng: torch.Generator) -> Tensor:
    """Return the characters before each start (b,), shuffled: (b, SHUFFLED)."""
    order = torch.rand(len(starts), SHUFFLED, generator=rng).argsort(1)
    return ids[starts[:, None] - 1 - order]


def _mean_and_error(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return means (N,) over predictions (N, P) and standard errors over batches."""
    batches = _batch_means(values)
    count = batches.shape[1]
    error = batches.std(1, ddof=1) / math.sqrt(count) if count > 1 else np.full(len(values), np.nan)
    return values.mean(1), error


def _batch_means(values: np.ndarray) -> np.ndarray:
    """Average BATCH consecutive predictions: (N, P) -> (N, P / BATCH)."""
    return values.reshape(len(values), -1, BATCH).mean(2)


# ------------------------------------------------------------------------------------------------ corruption


def corruption(
    model: Network, ids: Sequence[int], rng: torch.Generator, lags: int = LAGS, positions: int = POSITIONS
) -> Corruption:
    """
    Measure the effect of replaced characters on later predictions, in float64.

    Positions are spread evenly over the text; replacements are drawn from `rng` by character frequency. Raises
    ValueError for a text that is too short.
    """
    text = torch.as_tensor(ids)
    available = len(text) - BEFORE - lags + 1
    if available < 1:
        raise ValueError(f"the text has {len(text)} characters: give {BEFORE + lags} or more")
    count = min(positions, available)
    replaced_at = torch.linspace(BEFORE, len(text) - lags, count, dtype=torch.float64).round().long()
    nats = corruption_nats(model, text, replaced_at, random_replacements(text, text[replaced_at], rng), lags).numpy()
    low, median, high = np.quantile(nats, [0.1, 0.5, 0.9], axis=0)
    felt = _felt_interval(nats > NEGLIGIBLE_NATS, positions_within(replaced_at.tolist(), BATCH))
    return Corruption(median, low, high, nats.mean(0), len(nats), felt)


def _felt_interval(above: np.ndarray, block: int) -> Interval | None:
    """
    Return the interval of felt_chars, from where KL exceeds the level (P, K).

    The median of a resample exceeds it where more than half of its positions do. block: positions drawn together.
    """
    counts = resample_counts(len(above), block)
    if counts is None:
        return None
    return percentile_interval(_sufficient_contexts(weighted_means(above.T, counts) > 0.5) - 1)


def random_replacements(ids: Tensor, originals: Tensor, rng: torch.Generator) -> Tensor:
    """Draw a different character for each original (P,), by frequency in ids: (P,)."""
    frequency = ids.bincount().double()
    if (frequency > 0).sum() < 2:
        raise ValueError("the text repeats one character: give a text with two or more different ones")
    drawn = []
    for chunk in originals.split(chunk_size(len(frequency), len(originals))):
        rows = frequency.expand(len(chunk), -1).scatter(1, chunk[:, None], 0)
        drawn.append(rows.multinomial(1, generator=rng)[:, 0])
    return torch.cat(drawn)


@torch.no_grad()
def corruption_nats(model: Network, ids: Tensor, replaced_at: Tensor, replacements: Tensor, lags: int) -> Tensor:
    """
    Return KL(original ‖ corrupted) after 1 … lags characters: (P, lags), float64.

    The first of them is the replacement itself. replaced_at, replacements (P,). Values below float64 resolution are 0.
    Reading starts 128 characters before the replacement.
    """
    exact = copy.deepcopy(model).double()
    nats, rows_per_chunk = [], chunk_size(max(BEFORE, lags) * model.head.out_features, MAX_ROWS)
    for starts, new in zip(replaced_at.split(rows_per_chunk), replacements.split(rows_per_chunk), strict=True):
        _, state = exact.fast_forward(ids[starts[:, None] + torch.arange(-BEFORE, 0)])
        original = ids[starts[:, None] + torch.arange(lags)]  # (p, lags)
        corrupted = torch.cat([new[:, None], original[:, 1:]], dim=1)
        nats.append(divergences_nats(*(exact.fast_forward(rows, state)[0] for rows in (original, corrupted))))
    return torch.cat(nats)


# ------------------------------------------------------------------------------------------------ stored records


def memory_record(used: MemoryUsed) -> AnalysisRecord:
    """Convert to a record that is stored beside a checkpoint."""
    context, probe = used.context, used.corruption
    return AnalysisRecord(
        {
            "predictions": context.predictions,
            "ecl_chars": context.ecl_chars,
            "ecl_share_chars": context.ecl_share_chars,
            "shuffled_ecl_chars": context.shuffled_ecl_chars,
            "positions": probe.positions,
            "felt_chars": probe.felt_chars,
            **interval_facts("ecl", context.ecl_interval),
            **interval_facts("ecl_share", context.ecl_share_interval),
            **interval_facts("shuffled_ecl", context.shuffled_ecl_interval),
            **interval_facts("felt", probe.felt_interval),
        },
        {
            "context": {name: getattr(context, name).tolist() for name in CONTEXT_CURVES},
            "corruption": {name: getattr(probe, name).tolist() for name in CORRUPTION_CURVES},
        },
    )


def memory_from_record(record: AnalysisRecord) -> MemoryUsed:
    """Restore the measurements. Raises RecordError if values are missing or too few."""

    def curves(table: str, lows: Mapping[str, float]) -> dict[str, np.ndarray]:
        return {name: np.array(record.numbers(table, name, low, 1e3, MIN_CURVE_CHARS)) for name, low in lows.items()}

    context = curves("context", CONTEXT_CURVES)
    probe = curves("corruption", CORRUPTION_CURVES)
    return MemoryUsed(
        ContextUse(
            **context,
            predictions=int(record.number("predictions", 1)),
            ecl_interval=interval_from_record(record, "ecl"),
            ecl_share_interval=interval_from_record(record, "ecl_share"),
            shuffled_ecl_interval=interval_from_record(record, "shuffled_ecl"),
        ),
        Corruption(
            **probe,
            positions=int(record.number("positions", 1)),
            felt_interval=interval_from_record(record, "felt"),
        ),
    )
