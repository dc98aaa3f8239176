"""The cell's source code next to the values its lines computed at the cursor."""

from collections import OrderedDict
from collections.abc import Iterator
from threading import Lock
from typing import Any

import numpy as np

from charrnn.model import CharRNN
from charrnn.ranges import Range
from charrnn.tracing import Block, Value, layers_of, read_character
from charrnn.ui.server import validation
from charrnn.ui.server.analysis_cache import fingerprint
from charrnn.ui.server.checkpoint_store import Store
from charrnn.ui.server.error_location import raised
from charrnn.ui.server.loaded_model import LoadedModel
from charrnn.ui.server.notices import packed
from charrnn.ui.server.streaming import answer
from charrnn.ui.server.view_query import ViewQuery

MAX_LAYERS = 64
STRIDE = 128  # characters from one kept state to the next
MAX_CACHED = 64
NOT_BY_UNIT = ("embed.weight", "_W_out", "_head", "logits", "_pairs")


class States:
    """Caches decoder states at regular positions, since the cursor moves by one."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple, Any] = OrderedDict()
        self._lock = Lock()

    def after(self, reader: LoadedModel, text: str) -> Any:
        """Return the decoder's state after a text known to the model."""
        who = fingerprint(reader)
        start, state = 0, reader.initial_output.state
        with self._lock:
            for end in range(len(text) // STRIDE * STRIDE, 0, -STRIDE):
                if (who, text[:end]) in self._kept:
                    start, state = end, self._kept[who, text[:end]]
                    break
        while start < len(text):
            end = min(start + STRIDE, len(text))
            state = reader.decoder.prefill(reader.vocab.encode(text[start:end]), state).state
            start = end
            if end % STRIDE == 0:
                self._keep((who, text[:end]), state)
        return state

    def _keep(self, key: tuple, state: Any) -> None:
        with self._lock:
            self._kept[key] = state
            if len(self._kept) > MAX_CACHED:
                self._kept.popitem(last=False)


def cell_lines(store: Store, states: States, question: ViewQuery) -> Iterator[str]:
    """Trace the model at the last character, line by line. Raises ValueError."""
    text = question.text("text", validation.MAX_TEXT_CHARS)
    layer = Range(1, MAX_LAYERS, whole=True).require("layer", question.form.get("layer", MAX_LAYERS))
    if not text:
        yield answer(question.number, "Nothing has been read yet: write a text, or move the cursor to a character.")
        return
    reader = store.load(question.choice.name, question.choice.step)
    network, (*_, id) = reader.checkpoint.model, reader.vocab.encode(text)
    layers = layers_of(network)
    layer = min(layer, layers)
    try:
        state = states.after(reader, text[:-1])
        blocks, _ = read_character(network, reader.decoder, id, state, layer)
    except Exception as error:  # whoever changes a cell is to see here what is wrong with it
        yield answer(question.number, raised(error))
        return
    words = (
        f"As {reader.title}, step {reader.checkpoint.step}, reads it: the code that writes, run once more and watched."
    )
    words = " ".join([words, *network.notices()])
    yield answer(
        question.number,
        words,
        blocks=[_block(block, reader) for block in blocks],
        units=reader.info.hidden_dim,
        layer=layer,
        layers=layers,
    )


def _block(block: Block, reader: LoadedModel) -> dict[str, Any]:
    lines = [
        {"number": line.number, "source": line.source, "values": [_value(value, reader) for value in line.values]}
        for line in block.lines
    ]
    return {"title": block.title, "file": block.file, "name": block.name, "cell": block.is_cell, "lines": lines}


def _value(value: Value, reader: LoadedModel) -> dict[str, Any]:
    numbers = value.array.astype(np.float64)
    return {
        "source": value.source,
        "kind": value.kind,
        "shape": list(value.shape),
        "part": value.part,
        "least": float(numbers.min()),
        "mean": float(numbers.mean()),
        "most": float(numbers.max()),
        "numbers": packed(numbers.ravel().astype("<f4")),
        "units": unit_names(value, reader),
    }


def unit_names(value: Value, reader: LoadedModel) -> list[str]:
    """Return the names of a unit's values; [""] for one, [] for values without unit."""
    if any(part in value.source for part in NOT_BY_UNIT):
        return []
    network = reader.checkpoint.model
    gates = ["q", "k", "v"]
    if isinstance(network, CharRNN):  # of an edited cell nobody knows in which order its gates are packed
        gates = [] if network.by_hand_differs() else list(network.cell.gate_names)
    blocks, rest = divmod(value.array.size, reader.info.hidden_dim)
    if rest:
        return []
    return [""] if blocks == 1 else gates if blocks == len(gates) else []
