"""How much of the time a gate stands open or shut. Karpathy, Johnson and Fei-Fei 2015, figure 3."""

from dataclasses import dataclass

import numpy as np

SHUT, OPEN = 0.1, 0.9
GATES = {"gru": ("r", "z"), "lstm": ("i", "f", "o")}  # those that are squashed into 0 … 1


@dataclass(frozen=True)
class Saturation:
    """The share of a text's characters at which each unit's gate is below 0.1 and above 0.9: arrays (U,)."""

    gate: str
    shut: np.ndarray
    open: np.ndarray

    @classmethod
    def of(cls, gate: str, values: np.ndarray) -> "Saturation":
        """values (N, U), 0 … 1."""
        return cls(gate, (values < SHUT).mean(axis=0), (values > OPEN).mean(axis=0))
