"""The checkpoints a running app offers, each loaded once, and what was worked out about them."""

from collections import OrderedDict
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from charrnn.checkpoint import MODEL, Checkpoint, CheckpointError, CheckpointInfo, list_checkpoints, load
from charrnn.metrics import bits_per_char
from charrnn.sampling import Reading
from charrnn.ui import row_order
from charrnn.vocab import Vocab

TITLES = {
    "rnn": "Vanilla RNN",
    "rnn-lab": "Vanilla RNN, lab recipe",
    "rnn-stateful": "Vanilla RNN, stateful",
    "rnn-layernorm": "RNN + layer norm",
    "gru": "GRU",
    "lstm": "LSTM",
    "lstm-layernorm": "LSTM + layer norm",
    "minigpt": "MiniGPT",
}
MOST_LOADED = 64  # a vanilla net is a third of a megabyte
MOST_WORKED_OUT = 256
ORDERING_CHARACTERS = 800  # of the checkpoint's own passage, to order the units by


class Reader:
    """A loaded checkpoint, ready to read and to write."""

    def __init__(self, checkpoint: Checkpoint):
        self.checkpoint = checkpoint
        self.passage = checkpoint.vocab.drop_unknown(checkpoint.info.passage)[0]  # written by the model itself

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
        return TITLES.get(info.name, info.name)

    @cached_property
    def decoder(self):
        return self.checkpoint.model.decoder()

    @cached_property
    def orders(self) -> dict[str, list[int]]:
        """How the heatmap may order the units, from the states this model had on its own passage."""
        text = self.passage[:ORDERING_CHARACTERS]
        states = np.stack([self.beginning.state.h, *(reading.state.h for reading in self.read(text))])
        return {"similarity": row_order.by_similarity(states), "activity": row_order.by_activity(states)}

    @cached_property
    def beginning(self) -> Reading:
        """Where the model stands before any text."""
        return self.decoder.prefill([])

    def read(self, text: str) -> list[Reading]:
        """Where the model stands after each character of a text it knows all the characters of."""
        readings, state = [], self.beginning.state
        for id in self.vocab.encode(text):
            readings.append(self.decoder.step(id, state))
            state = readings[-1].state
        return readings

    def describe(self) -> dict[str, Any]:
        """What the page is told about the model that reads."""
        return {
            "name": self.info.name,
            "title": self.title,
            "step": self.checkpoint.step,
            "units": self.checkpoint.model.hidden_dim,
            "characters": self.vocab.characters,
            "sha256": self.info.sha256,
        }


def facts(info: CheckpointInfo) -> str:
    """Size and quality in a few words."""
    size = f"{info.parameters / 1e6:.2f} M" if info.parameters >= 1e6 else f"{round(info.parameters / 1e3)} k"
    loss = info.metrics.get("val_stream_nats")
    quality = f" · {bits_per_char(loss):.2f} bits per character" if loss is not None else ""
    return f"{size} parameters{quality}"


class Store:
    """
    Checkpoints below one folder. Nothing is read before it is asked for.

    `writers` are the sessions that write right now: the more, the fewer messages each of them sends.
    """

    def __init__(self, root: Path):
        self.root = root
        self.writers: set[Any] = set()
        self._listing: tuple | None = None
        self._readers: OrderedDict[tuple[str, str, int], Reader] = OrderedDict()
        self._worked_out: OrderedDict[tuple, Any] = OrderedDict()

    def _listed(self) -> tuple[list[CheckpointInfo], dict[str, CheckpointError]]:
        """What lies in the folder; read again when a file has changed, so that a new training run shows."""
        files = [path for path in (self.root / MODEL, *sorted(self.root.glob(f"*/{MODEL}"))) if path.is_file()]
        stats = [(path, path.stat()) for path in files]
        signature = tuple((str(path), stat.st_mtime_ns, stat.st_size) for path, stat in stats)
        if self._listing is None or self._listing[0] != signature:
            self._listing = signature, list_checkpoints(self.root)
        return self._listing[1]

    def infos(self) -> list[CheckpointInfo]:
        """The checkpoints that can be used, in the order of TITLES, then by name."""
        rank = {name: i for i, name in enumerate(TITLES)}
        return sorted(self._listed()[0], key=lambda info: (rank.get(info.name, len(rank)), info.name))

    def problem(self) -> str:
        """Why there is nothing to offer."""
        refused = self._listed()[1]
        if refused:
            return "; ".join(str(reason) for reason in refused.values())
        return f"{self.root} holds no checkpoint: train one with scripts/train.py, or name another folder"

    def reader(self, name: str | None = None, step: int | None = None) -> Reader:
        """
        The checkpoint of this name after so many training steps; the first on offer, and its last step, by default.

        Raises CheckpointError where there is none, or where it is refused.
        """
        offered = {info.name: info for info in self.infos()}
        if not offered:
            raise CheckpointError(self.problem())
        name = next(iter(offered)) if name is None else name
        if name not in offered:
            raise CheckpointError(f"there is no checkpoint {name!r}: choose one of {', '.join(offered)}")
        info = offered[name]
        step = info.saved_steps[-1] if step is None else step
        if step not in info.saved_steps:
            raise CheckpointError(f"{name} was not saved at step {step}: choose one of {info.saved_steps}")
        key = (name, info.sha256, step)
        if key not in self._readers:
            self._readers[key] = Reader(load(info.folder, step))
        self._readers.move_to_end(key)
        if len(self._readers) > MOST_LOADED:
            self._readers.popitem(last=False)
        return self._readers[key]

    def worked_out(self, key: tuple, work: Callable[[], Any]) -> Any:
        """The result of `work`, kept under this key."""
        if key not in self._worked_out:
            self._worked_out[key] = work()
            if len(self._worked_out) > MOST_WORKED_OUT:
                self._worked_out.popitem(last=False)
        return self._worked_out[key]
