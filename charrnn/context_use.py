"""
The memory that a model uses: what of the text so far makes a difference to its next prediction.

Effective context: the loss with only the last n characters, of the very same characters for every n, and above what is
lost with the longest context (Khandelwal et al. 2018, Sharp Nearby, Fuzzy Far Away). The model starts as it was trained
to start: a recurrent net from a zero state, MiniGPT with nothing to attend to. The control starts it in the middle of
a text whose order means nothing: the characters before those n, shuffled.

Corruption: one character is another, and the prediction differs by KL(as written ‖ as replaced) k characters later.
Distances count from 1, the last character read.
"""

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from charrnn.analysis_record import Findings
from charrnn.chunked_logits import at_once, divergences_nats
from charrnn.registry import Network
from charrnn.seeds import seeded

NEGLIGIBLE_NATS, NEGLIGIBLE_SHARE = 0.01, 0.01
LONGEST, TARGETS, STRETCH = 256, 4096, 512  # characters of context, predictions, of them in one piece of text
SHUFFLED = 128  # characters of the shuffled prefix
LAGS, POSITIONS, BEFORE = 128, 1024, 128  # characters that are followed, replaced ones, read before each of them
AT_ONCE = 64  # texts that are read side by side; a matter of memory alone
FEWEST_KEPT = 64  # characters that either curve of what is kept must reach: its readers show what is at 64
BATCH = 64  # predictions of one piece of text that make one figure of the standard error


@dataclass(frozen=True)
class ContextUse:
    """Losses with n = 1 … N characters of context, of the same predictions; all arrays (N,)."""

    loss_nats: np.ndarray
    excess_nats: np.ndarray  # above the loss with N characters
    excess_error: np.ndarray  # its standard error: neighbours count as one
    shuffled_excess_nats: np.ndarray  # the same with a shuffled prefix in front of the n characters
    shuffled_error: np.ndarray
    predictions: int

    @property
    def n(self) -> np.ndarray:
        """1 … N."""
        return np.arange(1, len(self.loss_nats) + 1)

    @property
    def ecl_chars(self) -> int:
        """The effective context length: from so many characters on, more are worth at most 0.01 nats."""
        return enough(self.excess_nats, NEGLIGIBLE_NATS)

    @property
    def ecl_share_chars(self) -> int:
        """The same at 1 % of the loss."""
        return enough(self.excess_nats, NEGLIGIBLE_SHARE * float(self.loss_nats[-1]))

    @property
    def shuffled_ecl_chars(self) -> int:
        """The effective context length by the control."""
        return enough(self.shuffled_excess_nats, NEGLIGIBLE_NATS)


@dataclass(frozen=True)
class Corruption:
    """KL, in nats, of the prediction k = 1 … K characters after one was replaced (1: right after it); arrays (K,)."""

    median: np.ndarray
    low: np.ndarray  # 10th percentile
    high: np.ndarray  # 90th percentile
    mean: np.ndarray
    positions: int

    @property
    def k(self) -> np.ndarray:
        """1 … K."""
        return np.arange(1, len(self.median) + 1)

    @property
    def felt_chars(self) -> int:
        """The last k up to which a replaced character changes the typical prediction by more than 0.01 nats."""
        return enough(self.median, NEGLIGIBLE_NATS) - 1


@dataclass(frozen=True)
class MemoryUsed:
    """Both measurements of one model on one text."""

    context: ContextUse
    corruption: Corruption


def memory_used(
    model: Network,
    ids: Sequence[int],
    seed: int,
    longest: int = LONGEST,
    predictions: int = TARGETS,
    positions: int = POSITIONS,
) -> MemoryUsed:
    """Both measurements of a model on a text; what they draw comes from `seed`. Raises ValueError as they do."""
    rng = seeded(seed)
    use = context_use(model, ids, rng, longest, predictions)
    return MemoryUsed(use, corruption(model, ids, rng, positions=positions))


def enough(values: np.ndarray, level: float) -> int:
    """The first n = 1, 2, … from which on no value (N,) is above the level; N + 1 where the last one is."""
    above = np.flatnonzero(np.asarray(values) > level)
    return int(above[-1]) + 2 if len(above) else 1


# ------------------------------------------------------------------------------------------------ effective context


def context_use(
    model: Network,
    ids: Sequence[int],
    rng: torch.Generator,
    longest: int = LONGEST,
    predictions: int = TARGETS,
    stretch: int = STRETCH,
) -> ContextUse:
    """
    How much context a model uses on a text: about so many predictions, in stretches spread evenly over it.

    The control's order comes from `rng`. Raises ValueError for a text that is too short.
    """
    text = torch.as_tensor(ids)
    most = len(text) - longest - SHUFFLED
    if most < BATCH:
        raise ValueError(f"the text has {len(text)} characters: give {longest + SHUFFLED + BATCH} or more")
    stretch = min(stretch, predictions, most) // BATCH * BATCH
    count = max(1, min(predictions, most) // stretch)
    firsts = np.linspace(longest + SHUFFLED, len(text) - stretch, count).astype(int).tolist()
    cut = np.concatenate([context_losses(model, text, first, stretch, longest) for first in firsts], axis=1)
    shuffled = np.concatenate([context_losses(model, text, first, stretch, longest, rng) for first in firsts], axis=1)
    excess, excess_error = _mean_and_error(cut - cut[-1])
    control, control_error = _mean_and_error(shuffled - cut[-1])
    return ContextUse(cut.mean(1), excess, excess_error, control, control_error, cut.shape[1])


@torch.no_grad()
def context_losses(
    model: Network, ids: Tensor, first: int, count: int, longest: int, rng: torch.Generator | None = None
) -> np.ndarray:
    """
    The loss at each of `count` characters from ids[first] on, with n = 1 … longest characters of context: (N, count).

    With `rng`, a shuffled prefix is read before those: what stands there, in another order. A text that begins at s
    serves the character s + n with n characters, for all n at once, so the cost is one step for each loss.
    """
    losses = np.full((longest, count), np.nan)
    before = 0 if rng is None else SHUFFLED
    rows_at_once = at_once((before + longest) * model.head.out_features, AT_ONCE)
    for starts in torch.arange(first - longest, first + count - 1).split(rows_at_once):
        length = min(longest, first + count - 1 - int(starts[0]))
        rows = ids[(starts[:, None] + torch.arange(length + 1)).clamp_max(len(ids) - 1)]  # (b, length + 1)
        read = rows[:, :-1] if rng is None else torch.cat([_shuffled_before(ids, starts, rng), rows[:, :-1]], dim=1)
        logits = model.fast_forward(read)[0][:, -length:]  # (b, length, V)
        nats = F.cross_entropy(logits.transpose(1, 2), rows[:, 1:], reduction="none").numpy()
        n = np.broadcast_to(np.arange(1, length + 1), nats.shape)
        place = starts.numpy()[:, None] + n - first
        inside = (0 <= place) & (place < count)
        losses[n[inside] - 1, place[inside]] = nats[inside]
    return losses


def _shuffled_before(ids: Tensor, starts: Tensor, rng: torch.Generator) -> Tensor:
    """What stands before each of the starts (b,), in a random order: (b, SHUFFLED)."""
    order = torch.rand(len(starts), SHUFFLED, generator=rng).argsort(1)
    return ids[starts[:, None] - 1 - order]


def _mean_and_error(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Over predictions (N, P): means (N,), and standard errors from the means of BATCH neighbours."""
    batches = values.reshape(len(values), -1, BATCH).mean(2)  # (N, P / BATCH)
    count = batches.shape[1]
    error = batches.std(1, ddof=1) / math.sqrt(count) if count > 1 else np.full(len(values), np.nan)
    return values.mean(1), error


# ------------------------------------------------------------------------------------------------ corruption


def corruption(
    model: Network, ids: Sequence[int], rng: torch.Generator, lags: int = LAGS, positions: int = POSITIONS
) -> Corruption:
    """
    What a replaced character does to the predictions after it, over characters spread evenly over a text, in float64.

    What it becomes is drawn from `rng` by the text's frequencies. Raises ValueError for a text that is too short.
    """
    text = torch.as_tensor(ids)
    most = len(text) - BEFORE - lags + 1
    if most < 1:
        raise ValueError(f"the text has {len(text)} characters: give {BEFORE + lags} or more")
    places = torch.linspace(BEFORE, len(text) - lags, min(positions, most), dtype=torch.float64).round().long()
    nats = corruption_nats(model, text, places, others(text, text[places], rng), lags).numpy()
    low, median, high = np.quantile(nats, [0.1, 0.5, 0.9], axis=0)
    return Corruption(median, low, high, nats.mean(0), len(nats))


def others(ids: Tensor, originals: Tensor, rng: torch.Generator) -> Tensor:
    """For each of the originals (P,) another character, by its frequency in ids, so that it is no rarity: (P,)."""
    frequency = ids.bincount().double()
    if (frequency > 0).sum() < 2:
        raise ValueError("the text has one character over and over: there is no other one to put in its place")
    drawn = []
    for some in originals.split(at_once(len(frequency), len(originals))):
        rows = frequency.expand(len(some), -1).scatter(1, some[:, None], 0)
        drawn.append(rows.multinomial(1, generator=rng)[:, 0])
    return torch.cat(drawn)


@torch.no_grad()
def corruption_nats(model: Network, ids: Tensor, places: Tensor, replaced: Tensor, lags: int) -> Tensor:
    """
    KL(as written ‖ as replaced) of the prediction after 1 … lags characters, the first of them the replaced one.

    places, replaced (P,) -> (P, lags), float64, 0 where it is less than that can tell. The text is read from 128
    characters before the place.
    """
    exact = copy.deepcopy(model).double()
    nats, rows_at_once = [], at_once(max(BEFORE, lags) * model.head.out_features, AT_ONCE)
    for some, new in zip(places.split(rows_at_once), replaced.split(rows_at_once), strict=True):
        _, state = exact.fast_forward(ids[some[:, None] + torch.arange(-BEFORE, 0)])
        written = ids[some[:, None] + torch.arange(lags)]  # (p, lags)
        instead = torch.cat([new[:, None], written[:, 1:]], dim=1)
        nats.append(divergences_nats(*(exact.fast_forward(rows, state)[0] for rows in (written, instead))))
    return torch.cat(nats)


# ------------------------------------------------------------------------------------------------ what is kept


def memory_findings(used: MemoryUsed) -> Findings:
    """What is kept beside a checkpoint."""
    context, probe = used.context, used.corruption
    curves = {
        "loss_nats": context.loss_nats,
        "excess_nats": context.excess_nats,
        "excess_error": context.excess_error,
        "shuffled_excess_nats": context.shuffled_excess_nats,
        "shuffled_error": context.shuffled_error,
    }
    kl = {"median": probe.median, "low": probe.low, "high": probe.high, "mean": probe.mean}
    return Findings(
        {
            "predictions": context.predictions,
            "ecl_chars": context.ecl_chars,
            "ecl_share_chars": context.ecl_share_chars,
            "shuffled_ecl_chars": context.shuffled_ecl_chars,
            "positions": probe.positions,
            "felt_chars": probe.felt_chars,
        },
        {
            "context": {name: values.tolist() for name, values in curves.items()},
            "corruption": {name: values.tolist() for name, values in kl.items()},
        },
    )


def memory_of(found: Findings) -> MemoryUsed:
    """What was kept, as it was measured. Raises FindingsError where it is something else, or shorter."""

    def curve(name: str, low: float) -> np.ndarray:
        return np.array(found.numbers("context", name, low, 1e3, FEWEST_KEPT))

    def kl(name: str) -> np.ndarray:
        return np.array(found.numbers("corruption", name, 0, 1e3, FEWEST_KEPT))

    context = ContextUse(
        curve("loss_nats", 0),
        curve("excess_nats", -1e3),
        curve("excess_error", 0),
        curve("shuffled_excess_nats", -1e3),
        curve("shuffled_error", 0),
        int(found.number("predictions", 1)),
    )
    probe = Corruption(kl("median"), kl("low"), kl("high"), kl("mean"), int(found.number("positions", 1)))
    return MemoryUsed(context, probe)
