"""Decode with the torch module itself, if its step cannot be recorded."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from charrnn.clamps import Clamp
from charrnn.sampling import DecoderOutput, Trace, read_stepwise


class ModuleState(NamedTuple):
    """State of a `ModuleDecoder`: the network's own state and its last output."""

    carried: Any
    logits: np.ndarray  # (V,)
    activations: Mapping[str, np.ndarray]


class ModuleDecoder:
    """
    A `sampling.Decoder` of a torch module; slower than a recorded step.

    network: has `initial_output` and `forward_with_activations`, in float64 on the CPU. reason: why its step is not
    recorded.
    """

    def __init__(self, network: Any, reason: str):
        self.network, self.reason = network, reason

    def clamped(self, clamps: Sequence[Clamp]) -> "ModuleDecoder":
        """Raise ValueError for any clamp: only a recorded step can be clamped."""
        if clamps:
            name = clamps[0].name
            raise ValueError(f"{name} cannot be clamped in this network: its step cannot be recorded ({self.reason})")
        return self

    @torch.no_grad()
    def prefill(self, ids: Sequence[int], state: ModuleState | None = None) -> DecoderOutput:
        """Read ids from `state` (None: the start of the text); ids may be empty."""
        if len(ids):
            return self.read(ids, state).end
        if state is None:
            return output_of(*self.network.initial_output())
        return DecoderOutput(state.logits, state, state.activations)

    def read(self, ids: Sequence[int], state: ModuleState | None = None) -> Trace:
        """Read ids (at least one) from `state` and return the outputs at each."""
        return read_stepwise(self, ids, state)

    @torch.no_grad()
    def step(self, id: int, state: ModuleState) -> DecoderOutput:
        """Read one character."""
        return output_of(*self.network.forward_with_activations(torch.tensor([[id]]), state.carried))


def output_of(logits: Tensor, carried: Any, seen: Mapping[str, Tensor]) -> DecoderOutput:
    """Convert logits (1, 1, V) and activations (…, rows); only the last row is used."""
    last = logits[0, -1].numpy(force=True)
    activations = {name: value.reshape(-1, value.shape[-1])[-1].numpy(force=True) for name, value in seen.items()}
    return DecoderOutput(last, ModuleState(carried, last, activations), activations)
