"""Nats per character and what they mean: bits, perplexity; the record of a training run."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from typing import Any

MOST_STEPS = 10**9
MOST_NATS = 10**6  # of a loss that can be shown; where it is larger, training has diverged
MOST_POINTS = 4096  # of a training curve
LIMITS = {  # of a point of it, each from 0
    "step": MOST_STEPS,
    "train_loss_nats": MOST_NATS,
    "val_loss_nats": MOST_NATS,
    "grad_norm": 3.5e38,  # what float32 can hold
    "learning_rate": 10**6,
    "seconds": 10**10,
}


def bits_per_char(loss_nats: float) -> float:
    """A loss in nats per character as bits per character: 1 bit = ln 2 nats."""
    return loss_nats / math.log(2)


def perplexity(loss_nats: float) -> float:
    """A loss in nats per character as the number of equally likely characters it amounts to."""
    return math.exp(loss_nats) if loss_nats < 700 else math.inf


@dataclass(frozen=True)
class Progress:
    """
    One point of a training curve, after `step` updates.

    Losses in nats per character; `train_loss_nats` is the mean over the minibatches since the point before,
    `val_loss_nats` the `stream` figure; `grad_norm` before clipping; `seconds` of training so far.
    """

    step: int
    train_loss_nats: float
    val_loss_nats: float
    grad_norm: float
    learning_rate: float
    seconds: float

    @classmethod
    def from_json(cls, point: dict[str, Any]) -> "Progress":
        """A point as JSON has it, `asdict(progress)`. Raises ValueError where it is none, or a number beyond LIMITS."""
        whole = isinstance(point, dict) and point.keys() == LIMITS.keys() and type(point["step"]) is int
        if not whole or not all(type(number) in (int, float) for number in point.values()):
            raise ValueError(f"{str(point)[:200]} is not a point of a training curve")
        for name, number in point.items():
            if not 0 <= number <= LIMITS[name]:
                raise ValueError(f"{name} is {number} in a point of a training curve: it must be 0 to {LIMITS[name]:g}")
        return cls(**point)

    @classmethod
    def curve(cls, points: list[Any]) -> "list[Progress]":
        """A training curve of such points. Raises ValueError where they are none, too many or do not go forward."""
        if len(points) > MOST_POINTS:
            raise ValueError(f"the history has {len(points)} points: it must be at most {MOST_POINTS}")
        history = [cls.from_json(point) for point in points]
        if any(later.step <= earlier.step for earlier, later in pairwise(history)):
            raise ValueError("the history does not go forward")
        return history

    def line(self) -> str:
        """The point as a line of text: `step 1000 loss=1.5897 ppl=4.90 bpc=2.293 ...`."""
        losses = f"{_figures('', self.train_loss_nats)}  {_figures('val_', self.val_loss_nats)}"
        return f"step {self.step:<5d} {losses}  grad_norm={self.grad_norm:.2f} lr={self.learning_rate:.2e}"


def pace(history: Sequence[Progress], steps: int) -> str:
    """
    How fast a training of so many steps goes, at its newest point: `0:01:05  24.3 steps/s  0:02:10 to go`.

    The speed is that since the point before; there is none before the first update.
    """
    newest = history[-1]
    before = history[-2] if len(history) > 1 else newest
    seconds, done = newest.seconds - before.seconds, newest.step - before.step
    words = [str(timedelta(seconds=round(newest.seconds)))]
    if seconds > 0:
        words.append(f"{done / seconds:.1f} steps/s")
        if newest.step < steps:
            words.append(f"{timedelta(seconds=round((steps - newest.step) * seconds / done))} to go")
    return "  ".join(words)


def _figures(prefix: str, loss_nats: float) -> str:
    bits, ppl = bits_per_char(loss_nats), perplexity(loss_nats)
    return f"{prefix}loss={loss_nats:.4f} {prefix}ppl={ppl:.2f} {prefix}bpc={bits:.3f}"
