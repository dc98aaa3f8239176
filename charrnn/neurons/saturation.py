"""
Gate saturation: share of time a gate is near 0 or 1.

Karpathy, Johnson and Fei-Fei 2015, figure 3.
"""

from dataclasses import dataclass

import numpy as np

SHUT, OPEN = 0.1, 0.9
GATES = {"gru": ("r", "z"), "lstm": ("i", "f", "o")}  # sigmoid gates


@dataclass(frozen=True)
class Saturation:
    """Share of characters with each unit's gate below 0.1 and above 0.9; (U,)."""

    gate: str
    shut: np.ndarray
    open: np.ndarray

    @classmethod
    def of(cls, gate: str, values: np.ndarray) -> "Saturation":
        """Compute the shares from values (N, U), 0 … 1."""
        return cls(gate, (values < SHUT).mean(axis=0), (values > OPEN).mean(axis=0))
