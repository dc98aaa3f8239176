"""MiniGPT that writes: one character after the other, in numpy."""

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
from charrnn.minigpt.equations import KVCache, as_it_is, residual_streams, rms_norm, rotation_at, stream_name
from charrnn.sampling import DecoderOutput, Trace


class Tape:
    """
    Keys and values of one text, appended in place: a state is a tape and how far it goes, so that a thousand states
    of one text share one copy. Two texts that part ways need two tapes; `claim` says who may write on.
    """

    def __init__(self, keys: Sequence[np.ndarray], values: Sequence[np.ndarray], capacity: int):
        self._lock = threading.Lock()
        self.filled = keys[0].shape[2]
        self.keys = [_longer(layer, capacity) for layer in keys]  # layers × (1, heads, capacity, d_head)
        self.values = [_longer(layer, capacity) for layer in values]

    def claim(self, end: int) -> bool:
        """Whether the caller, whose text goes as far as `end`, may write what follows; no place is given out twice."""
        with self._lock:
            free = end == self.filled < self.keys[0].shape[2]
            self.filled += free
            return free


def _longer(x: np.ndarray, length: int) -> np.ndarray:
    B, heads, n, d_head = x.shape
    longer = np.zeros((B, heads, length, d_head), x.dtype)
    longer[:, :, :n] = x
    return longer


class Place(NamedTuple):
    """A decoder's state: where a text ends, and what was read there."""

    tape: Tape
    end: int  # of the text's keys and values on the tape
    position: int  # of the next character
    logits: np.ndarray  # (V,)
    activations: dict[str, np.ndarray]  # (d,) each


class Decoder:
    """
    A model that writes one character at a time: no batch, no gradient, numpy instead of torch. Implements
    `sampling.Decoder`; arithmetic and weights are the model's own.

    Before the first character there is nothing to attend to: all characters are equally likely, all activations zero.
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
        self._held: Callable[[str, Any], Any] = as_it_is
        vocab_size, hidden_dim = self._embed.shape
        nothing = [self._embed[:0].reshape(1, model.heads, 0, hidden_dim // model.heads)] * len(self._blocks)
        silent = {name: np.zeros_like(self._embed[0]) for name in self._names}
        self._beginning = Place(self._tape(nothing, nothing), 0, 0, np.zeros(vocab_size, self._embed.dtype), silent)

    def clamped(self, clamps: Sequence[Clamp]) -> "Decoder":
        """
        The same, with what `interventions` says held while it reads: the residual stream, at every character.

        Shares its weights. Raises ValueError for a clamp that does not fit, or would not act.
        """
        held = ClampSet(clamps, dict.fromkeys(self._names, len(self._embed[0])))
        self._model.require_effect(clamps, Decoder)
        return self.holding(held)

    def holding(self, held: ClampSet) -> "Decoder":
        """The same, with this held while it reads."""
        twin = copy.copy(self)
        twin._held = held
        return twin

    def prefill(self, ids: Sequence[int], state: Place | None = None) -> DecoderOutput:
        """Read ids from `state`, the beginning where None: all of them at once."""
        state = self._beginning if state is None else state
        if not len(ids):
            return DecoderOutput(state.logits, state, state.activations)
        streams, tape, position = self._at_once(ids, state)
        return self._reading([stream.numpy() for stream in streams], tape, tape.filled, position)

    def read(self, ids: Sequence[int], state: Place | None = None) -> Trace:
        """Read ids, one at least, and keep what each left to see: what `step` says, all at once, but for rounding."""
        streams, tape, position = self._at_once(ids, self._beginning if state is None else state)
        with torch.inference_mode():
            logits = self._model.head(self._model.norm(streams[-1]))[0].numpy()
        arrays = [stream.numpy() for stream in streams]
        activations = {name: array[0] for name, array in zip(self._names, reversed(arrays), strict=True)}
        return Trace(logits, activations, self._reading(arrays, tape, tape.filled, position))

    def step(self, id: int, state: Place) -> DecoderOutput:
        """Read one character."""
        tape, end = state.tape, state.end
        if not tape.claim(end):  # it is full, or another text went on from here
            tape = self._tape(*self._window(state))
            end = tape.filled
            tape.claim(end)

        def extend(layer: int, k: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            keys, values = tape.keys[layer], tape.values[layer]
            keys[:, :, end], values[:, :, end] = k[:, :, 0], v[:, :, 0]
            return keys[:, :, : end + 1], values[:, :, : end + 1]

        rotation = rotation_at(np.array([state.position], dtype=np.float64), self._pairs).astype(self._rotation_dtype)
        streams = residual_streams(self._blocks, self._embed[None, None, id], rotation, extend, None, self._held)
        return self._reading(streams, tape, end + 1, state.position + 1)

    def _at_once(self, ids: Sequence[int], state: Place) -> tuple[list[Tensor], Tape, int]:
        """The residual streams (1, T, d) of ids, and the tape and the position after them."""
        keys, values = self._window(state)
        cache = KVCache(tuple(map(torch.from_numpy, keys)), tuple(map(torch.from_numpy, values)), state.position)
        with torch.inference_mode():
            x = self._model.embed(torch.tensor([ids]))
            streams, cache = self._model.streams_from_embedded(x, cache, None, self._held)
        tape = self._tape([k.numpy() for k in cache.keys], [v.numpy() for v in cache.values])
        return streams, tape, cache.position

    def _tape(self, keys: Sequence[np.ndarray], values: Sequence[np.ndarray]) -> Tape:
        return Tape(keys, values, 2 * self._context)

    def _window(self, state: Place) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Keys and values that the next character attends to."""
        kept = slice(max(0, state.end - self._context + 1), state.end)
        return [k[:, :, kept] for k in state.tape.keys], [v[:, :, kept] for v in state.tape.values]

    def _reading(self, streams: list[np.ndarray], tape: Tape, end: int, position: int) -> DecoderOutput:
        logits = self._head(self._norm(streams[-1][:, -1:]))[0, 0]
        activations = {name: stream[0, -1].copy() for name, stream in zip(self._names, reversed(streams), strict=True)}
        return DecoderOutput(logits, Place(tape, end, position, logits, activations), activations)


def _in_arrays(module: nn.Module) -> Any:
    """What `transformer_block` asks of a block, or what a norm or a product does, for arrays (1, 1, ...)."""
    if not list(module.children()):
        weight = module.get_parameter("weight").detach().numpy()
        return partial(_product, weight) if isinstance(module, nn.Linear) else partial(rms_norm, weight=weight)
    parts = {name: _in_arrays(part) for name, part in module.named_children()}
    return SimpleNamespace(heads=module.heads, context=module.context, dropout=0.0, **parts)


def _product(W: np.ndarray, x: np.ndarray) -> np.ndarray:
    return W.dot(x[0, 0])[None, None]  # matrix times vector: the general product of numpy takes longer to begin
