"""Numpy decoder of MiniGPT, one character at a time."""

import copy
import threading
from collections.abc import Callable, Sequence
from functools import partial
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from charrnn.interventions import Clamp, ClampSet
from charrnn.minigpt.equations import KVCache, residual_streams, rms_norm, rotation_at, stream_name, unclamped
from charrnn.sampling import DecoderOutput, Trace


class KVBuffer:
    """
    Keys and values of one text, appended in place.

    A decoder state is a buffer and a length, so a thousand states of one text share one copy. Texts that diverge need
    separate buffers; `reserve` decides who may append.
    """

    def __init__(self, keys: Sequence[np.ndarray], values: Sequence[np.ndarray], capacity: int):
        self._lock = threading.Lock()
        self.filled = keys[0].shape[2]
        self.keys = [_longer(layer, capacity) for layer in keys]  # layers × (1, heads, capacity, d_head)
        self.values = [_longer(layer, capacity) for layer in values]

    def reserve(self, end: int) -> bool:
        """Reserve the slot after `end` for the caller; False if it is taken or full."""
        with self._lock:
            free = end == self.filled < self.keys[0].shape[2]
            self.filled += free
            return free


def _longer(x: np.ndarray, length: int) -> np.ndarray:
    B, heads, n, d_head = x.shape
    longer = np.zeros((B, heads, length, d_head), x.dtype)
    longer[:, :, :n] = x
    return longer


class DecoderState(NamedTuple):
    """State of a decoder: a position in a text and the last output."""

    tape: KVBuffer
    end: int  # number of keys and values in the buffer
    position: int  # of the next character
    logits: np.ndarray  # (V,)
    activations: dict[str, np.ndarray]  # (d,) each


class Decoder:
    """
    A numpy decoder for one character at a time; implements `sampling.Decoder`.

    No batch and no gradient; arithmetic and weights are the model's. Before the first character all characters are
    equally likely and all activations are zero.
    """

    def __init__(self, model: Any):
        self._model = model
        self._context = model.context
        self._embed = model.embed.weight.detach().numpy()  # (V, d)
        self._blocks = [_in_arrays(block) for block in model.blocks]
        self._norm, self._head = _in_arrays(model.norm), _in_arrays(model.head)
        self._pairs = np.arange(model.hidden_dim // model.heads // 2, dtype=np.float64)
        self._rotation_dtype = np.result_type(self._embed, np.complex64)
        self._names = [stream_name(layer) for layer in range(len(self._blocks), -1, -1)]
        self._held: Callable[[str, Any], Any] = unclamped
        vocab_size, hidden_dim = self._embed.shape
        nothing = [self._embed[:0].reshape(1, model.heads, 0, hidden_dim // model.heads)] * len(self._blocks)
        silent = {name: np.zeros_like(self._embed[0]) for name in self._names}
        self._beginning = DecoderState(
            self._tape(nothing, nothing), 0, 0, np.zeros(vocab_size, self._embed.dtype), silent
        )

    def clamped(self, clamps: Sequence[Clamp]) -> "Decoder":
        """
        Return a decoder with these clamps on the residual stream; weights are shared.

        Raises ValueError for a clamp that does not fit or has no effect.
        """
        held = ClampSet(clamps, dict.fromkeys(self._names, len(self._embed[0])))
        self._model.require_effect(clamps, Decoder)
        return self.holding(held)

    def holding(self, held: ClampSet) -> "Decoder":
        """Return a decoder with these clamps, unchecked."""
        twin = copy.copy(self)
        twin._held = held
        return twin

    def prefill(self, ids: Sequence[int], state: DecoderState | None = None) -> DecoderOutput:
        """Read ids from `state` (None: the start of the text) in one pass."""
        state = self._beginning if state is None else state
        if not len(ids):
            return DecoderOutput(state.logits, state, state.activations)
        streams, tape, position = self._at_once(ids, state)
        return self._reading([stream.numpy() for stream in streams], tape, tape.filled, position)

    def read(self, ids: Sequence[int], state: DecoderState | None = None) -> Trace:
        """Read ids (at least one) in one pass; equals repeated `step` up to rounding."""
        streams, tape, position = self._at_once(ids, self._beginning if state is None else state)
        with torch.inference_mode():
            logits = self._model.head(self._model.norm(streams[-1]))[0].numpy()
        arrays = [stream.numpy() for stream in streams]
        activations = {name: array[0] for name, array in zip(self._names, reversed(arrays), strict=True)}
        return Trace(logits, activations, self._reading(arrays, tape, tape.filled, position))

    def step(self, id: int, state: DecoderState) -> DecoderOutput:
        """Read one character."""
        tape, end = state.tape, state.end
        if not tape.reserve(end):  # full, or another text was continued from here
            tape = self._tape(*self._window(state))
            end = tape.filled
            tape.reserve(end)

        def extend(layer: int, k: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            keys, values = tape.keys[layer], tape.values[layer]
            keys[:, :, end], values[:, :, end] = k[:, :, 0], v[:, :, 0]
            return keys[:, :, : end + 1], values[:, :, : end + 1]

        rotation = rotation_at(np.array([state.position], dtype=np.float64), self._pairs).astype(self._rotation_dtype)
        streams = residual_streams(self._blocks, self._embed[None, None, id], rotation, extend, None, self._held)
        return self._reading(streams, tape, end + 1, state.position + 1)

    def _at_once(self, ids: Sequence[int], state: DecoderState) -> tuple[list[Tensor], KVBuffer, int]:
        """Return the residual streams (1, T, d), the buffer and the position after ids."""
        keys, values = self._window(state)
        cache = KVCache(tuple(map(torch.from_numpy, keys)), tuple(map(torch.from_numpy, values)), state.position)
        with torch.inference_mode():
            x = self._model.embed(torch.tensor([ids]))
            streams, cache = self._model.streams_from_embedded(x, cache, None, self._held)
        tape = self._tape([k.numpy() for k in cache.keys], [v.numpy() for v in cache.values])
        return streams, tape, cache.position

    def _tape(self, keys: Sequence[np.ndarray], values: Sequence[np.ndarray]) -> KVBuffer:
        return KVBuffer(keys, values, 2 * self._context)

    def _window(self, state: DecoderState) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Return the keys and values that the next character attends to."""
        kept = slice(max(0, state.end - self._context + 1), state.end)
        return [k[:, :, kept] for k in state.tape.keys], [v[:, :, kept] for v in state.tape.values]

    def _reading(self, streams: list[np.ndarray], tape: KVBuffer, end: int, position: int) -> DecoderOutput:
        logits = self._head(self._norm(streams[-1][:, -1:]))[0, 0]
        activations = {name: stream[0, -1].copy() for name, stream in zip(self._names, reversed(streams), strict=True)}
        return DecoderOutput(logits, DecoderState(tape, end, position, logits, activations), activations)


def _in_arrays(module: nn.Module) -> Any:
    """Convert a block, a norm or a linear layer to arrays (1, 1, ...)."""
    if not list(module.children()):
        weight = module.get_parameter("weight").detach().numpy()
        return partial(_product, weight) if isinstance(module, nn.Linear) else partial(rms_norm, weight=weight)
    parts = {name: _in_arrays(part) for name, part in module.named_children()}
    return SimpleNamespace(heads=module.heads, context=module.context, dropout=0.0, **parts)


def _product(W: np.ndarray, x: np.ndarray) -> np.ndarray:
    return W.dot(x[0, 0])[None, None]  # matrix-vector product: numpy's general product has more overhead
