"""
Decoder of MiniGPT.

It reads many characters in one pass of the torch module and generates by the recorded step.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from charrnn import export
from charrnn.export import GraphState
from charrnn.sampling import DecoderOutput, Trace


class BatchReadingDecoder:
    """
    A `sampling.Decoder` that reads all characters of a call in one pass.

    Before the first character all characters are equally likely and all activations are zero.
    """

    def __init__(self, network: Any, steps: export.GraphDecoder):
        self._network, self._steps = network, steps

    @classmethod
    def of(cls, network: Any) -> "BatchReadingDecoder | export.ModuleDecoder":
        """Return a decoder; that of the torch module if the step cannot be recorded."""
        reason, exact = export.not_recorded(network), export.exact_copy(network)
        if reason:
            return export.ModuleDecoder(exact, reason)
        return cls(exact, export.graph_decoder(exact, export.recorded_step(network)))

    @property
    def graph(self) -> export.Graph:
        """The recorded step."""
        return self._steps.graph

    def clamped(self, clamps: Sequence[Any]) -> "BatchReadingDecoder | export.GraphDecoder":
        """Return a decoder with these clamps, which reads step by step. Raises ValueError."""
        return self._steps.clamped(clamps) if clamps else self

    def prefill(self, ids: Sequence[int], state: GraphState | None = None) -> DecoderOutput:
        """Read ids from `state` (None: the start of the text); ids may be empty."""
        return self.read(ids, state).end if len(ids) > 1 else self._steps.prefill(ids, state)

    def step(self, id: int, state: GraphState) -> DecoderOutput:
        """Read one character."""
        return self._steps.step(id, state)

    @torch.no_grad()
    def read(self, ids: Sequence[int], state: GraphState | None = None) -> Trace:
        """Read ids (at least one) in one pass; equals repeated `step` up to rounding."""
        before = self._network.initial_output()[1] if state is None else export.module_state(self._network, state)
        logits, after, streams = self._network.forward_with_activations(torch.tensor([list(ids)]), before)
        activations = {name: stream[0].numpy() for name, stream in streams.items()}
        last: Mapping[str, Any] = {name: values[-1] for name, values in activations.items()}
        end = GraphState(tuple(export.state_arrays(self.graph, after)), logits[0, -1].numpy(), last)
        return Trace(logits[0].numpy(), activations, DecoderOutput(end.logits, end, last))
