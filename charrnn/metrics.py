"""Conversions of nats per character, and the metrics of a training run."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from typing import Any

MAX_STEPS = 10**9
MAX_NATS = 10**6  # largest loss accepted; beyond it training has diverged
MAX_CURVE_POINTS = 4096  # points of a training curve
LIMITS = {  # of one point; the lower limit is 0
    "step": MAX_STEPS,
    "train_loss_nats": MAX_NATS,
    "val_loss_nats": MAX_NATS,
    "grad_norm": 3.5e38,  # largest float32
    "learning_rate": 10**6,
    "seconds": 10**10,
}


def bits_per_char(loss_nats: float) -> float:
    """Convert nats per character to bits per character: 1 bit = ln 2 nats."""
    return loss_nats / math.log(2)


def perplexity(loss_nats: float) -> float:
    """Convert nats per character to perplexity."""
    return math.exp(loss_nats) if loss_nats < 700 else math.inf


@dataclass(frozen=True)
class Metrics:
    """
    Point of a training curve, after `step` updates.

    Losses in nats per character: `train_loss_nats` is the mean over minibatches since the previous point,
    `val_loss_nats` the `stream` evaluation. `grad_norm` is taken before clipping; `seconds` is the training time so
    far.
    """

    step: int
    train_loss_nats: float
    val_loss_nats: float
    grad_norm: float
    learning_rate: float
    seconds: float

    @classmethod
    def from_json(cls, point: dict[str, Any]) -> "Metrics":
        """Parse a point, the inverse of `asdict`. Raises ValueError, also beyond LIMITS."""
        is_complete = isinstance(point, dict) and point.keys() == LIMITS.keys() and type(point["step"]) is int
        if not is_complete or not all(type(number) in (int, float) for number in point.values()):
            raise ValueError(f"{str(point)[:200]} is not a point of a training curve")
        for name, number in point.items():
            if not 0 <= number <= LIMITS[name]:
                raise ValueError(f"{name} is {number} in a point of a training curve: it must be 0 to {LIMITS[name]:g}")
        return cls(**point)

    @classmethod
    def curve(cls, points: list[Any]) -> "list[Metrics]":
        """
        Parse a training curve.

        Raises ValueError for invalid points, too many, or steps that do not increase.
        """
        if len(points) > MAX_CURVE_POINTS:
            raise ValueError(f"the history has {len(points)} points: it must be at most {MAX_CURVE_POINTS}")
        history = [cls.from_json(point) for point in points]
        if any(later.step <= earlier.step for earlier, later in pairwise(history)):
            raise ValueError("the steps of the history do not increase: give each point a later step")
        return history

    def line(self) -> str:
        """Format the point: `step 1000 loss=1.5897 ppl=4.90 bpc=2.293 ...`."""
        losses = f"{_format_loss('', self.train_loss_nats)}  {_format_loss('val_', self.val_loss_nats)}"
        return f"step {self.step:<5d} {losses}  grad_norm={self.grad_norm:.2f} lr={self.learning_rate:.2e}"


def format_speed(history: Sequence[Metrics], steps: int) -> str:
    """
    Format elapsed time, speed and time left.

    The speed is measured since the previous point; before the first update it is omitted.
    """
    newest = history[-1]
    previous = history[-2] if len(history) > 1 else newest
    seconds, done = newest.seconds - previous.seconds, newest.step - previous.step
    parts = [str(timedelta(seconds=round(newest.seconds)))]
    if seconds > 0:
        parts.append(f"{done / seconds:.1f} steps/s")
        if newest.step < steps:
            parts.append(f"{timedelta(seconds=round((steps - newest.step) * seconds / done))} to go")
    return "  ".join(parts)


def _format_loss(prefix: str, loss_nats: float) -> str:
    bits, ppl = bits_per_char(loss_nats), perplexity(loss_nats)
    return f"{prefix}loss={loss_nats:.4f} {prefix}ppl={ppl:.2f} {prefix}bpc={bits:.3f}"
