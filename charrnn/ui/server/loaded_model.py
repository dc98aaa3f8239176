"""A loaded checkpoint, ready to read and to write, and what was worked out about it."""

from functools import cached_property
from typing import Any

import numpy as np

from charrnn.checkpoint import Checkpoint, CheckpointInfo
from charrnn.sampling import DecoderOutput, SamplingSettings, Trace, UniformStream, generate
from charrnn.ui.server.activation_views import Display
from charrnn.ui.server.analysis_cache import digest
from charrnn.vocab import Vocab

TITLES = {
    "rnn": "Vanilla RNN",
    "rnn-layernorm": "RNN + layer norm",
    "rnn-stateful": "RNN, stateful",
    "rnn-seq256": "RNN, long context 256",
    "rnn-seq512": "RNN, long context 512",
    "gru": "GRU",
    "lstm": "LSTM",
    "lstm-layernorm": "LSTM + layer norm",
    "minigpt": "MiniGPT",
    "best": "Best",
    "rnn-lab": "Vanilla RNN, lab recipe",
}
CELLS = {"rnn": "vanilla", "gru": "GRU", "lstm": "LSTM", "minigpt": "MiniGPT"}
OWN_TEXT = 800  # characters, of the checkpoint's own passage: scales and orders come from how it reads them
OWN_SEED = 0
PIECE = 1024  # characters read at once: as many as a prompt may have


class Reader:
    """A loaded checkpoint. Whatever is worked out about it is worked out once, when it is first asked for."""

    def __init__(self, checkpoint: Checkpoint):
        self.checkpoint = checkpoint
        self.passage = checkpoint.vocab.drop_unknown(checkpoint.info.passage)[0]  # written by the model itself
        self._displays: dict[str, Display] = {}

    def cache_key(self) -> tuple:
        """What anything that is worked out about it depends on."""
        return self._cache_key

    @cached_property
    def _cache_key(self) -> tuple:
        info, weights = self.info, self.checkpoint.model.state_dict()
        loaded = digest(b"".join(digest(tensor.numpy().tobytes()).encode() for tensor in weights.values()))
        kept = digest(repr(info.analyses).encode("utf-8", "surrogatepass"))
        return info.name, str(info.folder), info.sha256, self.checkpoint.step, loaded, self.passage, kept

    @property
    def info(self) -> CheckpointInfo:
        return self.checkpoint.info

    @property
    def vocab(self) -> Vocab:
        return self.checkpoint.vocab

    @property
    def title(self) -> str:
        return self.title_of(self.info)

    @staticmethod
    def title_of(info: CheckpointInfo) -> str:
        """What the page calls a checkpoint."""
        title = TITLES.get(info.name, info.name)
        return f"{title}: {CELLS.get(info.cell, info.cell)}, {info.hidden_dim} units" if info.name == "best" else title

    @cached_property
    def decoder(self):
        return self.checkpoint.model.decoder(share=True)

    @cached_property
    def beginning(self) -> DecoderOutput:
        """Where the model stands before any text."""
        return self.decoder.prefill([])

    @cached_property
    def names(self) -> tuple[str, ...]:
        """What there is to see in it, the default first."""
        return tuple(self._first.activations)

    @cached_property
    def units(self) -> dict[str, int]:
        """How many units there are under each name."""
        return {name: len(values) for name, values in self._first.activations.items()}

    @cached_property
    def _first(self) -> DecoderOutput:
        """After one character, whichever: at the beginning there are no gates yet."""
        return self.decoder.step(0, self.beginning.state)

    def display(self, name: str) -> Display:
        """How the heatmap shows what goes by this name."""
        if name not in self._displays:
            self._displays[name] = Display.of(name, self.read(self.own_text, name).activations[name])
        return self._displays[name]

    @cached_property
    def own_text(self) -> str:
        """A short text of the network's own writing."""
        if self.passage:
            return self.passage[:OWN_TEXT]
        steps = generate(self.decoder, self.beginning, OWN_TEXT, SamplingSettings(), UniformStream(OWN_SEED))
        return self.vocab.decode([step.id for step in steps])

    def read(self, text: str, name: str) -> Trace:
        """
        What reading a text from its beginning leaves to see under one name; it knows all the characters of it.

        A piece at a time: of a long text all a model has to show would fill the memory.
        """
        ids, end = self.vocab.encode(text), self.beginning
        logits = [np.empty((0, len(self.vocab)), np.float32)]
        values = [np.empty((0, len(self._first.activations[name])), np.float32)]
        for first in range(0, len(ids), PIECE):
            trace = self.decoder.read(ids[first : first + PIECE], end.state)
            logits.append(trace.logits)
            values.append(trace.activations[name])
            end = trace.end
        return Trace(np.concatenate(logits), {name: np.concatenate(values)}, end)

    def describe(self) -> dict[str, Any]:
        """What the page is told about the model that reads."""
        return {
            "name": self.info.name,
            "title": self.title,
            "step": self.checkpoint.step,
            "views": self.names,
            "characters": self.vocab.characters,
            "sha256": self.info.sha256,
        }
