"""Under the hood, source trace: the values of each line of code at the cursor."""

from collections.abc import Iterator
from typing import Any

from charrnn.model import CharRNN
from charrnn.ranges import Range
from charrnn.tracing import Block, Value, layers_of, read_character
from charrnn.ui.server import request_parameters
from charrnn.ui.server.analysis_cache import fingerprint
from charrnn.ui.server.checkpoint_store import Store
from charrnn.ui.server.error_location import locate_error
from charrnn.ui.server.loaded_model import LoadedModel
from charrnn.ui.server.page_messages import packed
from charrnn.ui.server.prefix_cache import PrefixCache
from charrnn.ui.server.streaming import message
from charrnn.ui.server.view_query import ViewQuery
from charrnn.ui.under_the_hood.cell_diagram import diagram_of

MAX_LAYERS = 64  # of a request
STRIDE = 128  # characters between two cached states
NO_TEXT = "Nothing has been read yet: press Write, or move the cursor to a character."
NOT_BY_UNIT = ("embed", "head", "logits", "pairs", "positions", "ids")  # in expressions of other values


def state_after(prefixes: PrefixCache, loaded: LoadedModel, text: str) -> Any:
    """Return the decoder's state after a text, from its longest cached prefix on."""
    key = fingerprint(loaded)
    start, output = prefixes.longest(key, text, len(text))
    output = output or loaded.initial_output
    while start < len(text):
        end = min(start + STRIDE, len(text))
        output = loaded.decoder.prefill(loaded.vocab.encode(text[start:end]), output.state)
        start = end
        if end % STRIDE == 0:
            prefixes.put(key, text[:end], output)
    return output.state


def cell_lines(store: Store, prefixes: PrefixCache, query: ViewQuery) -> Iterator[str]:
    """Trace the model at the last character, line by line. Raises ValueError."""
    text = query.text("text", request_parameters.MAX_TEXT_CHARS)
    layer = Range(1, MAX_LAYERS, whole=True).require("layer", query.form.get("layer", MAX_LAYERS))
    if not text:
        yield message(query.number, NO_TEXT)
        return
    loaded = store.load(query.choice.name, query.choice.step)
    network, (*_, id) = loaded.checkpoint.model, loaded.vocab.encode(text)
    layers = layers_of(network)
    layer = min(layer, layers)
    try:
        state = state_after(prefixes, loaded, text[:-1])
        blocks, _ = read_character(network, id, state, layer)
    except Exception as error:  # an edited cell can raise any
        yield message(query.number, locate_error(error))
        return
    words = description(loaded, f"{loaded.checkpoint.step:,}", "the code re-run on this character")
    shown = [block_json(block, loaded) for block in blocks]
    diagram = diagram_of(loaded.info.cell)
    sizes = {"units": loaded.info.hidden_dim, "layer": layer, "layers": layers}
    yield message(query.number, words, blocks=shown, diagram=diagram, **sizes)


def description(loaded: LoadedModel, step: str, how: str) -> str:
    """Describe the model, how the values were computed, and its slow paths."""
    words = f"{loaded.title}, step {step}: {how}."
    return " ".join([words, *loaded.checkpoint.model.notices()])


def block_json(block: Block, loaded: LoadedModel) -> dict[str, Any]:
    """Describe a block, with the numbers of each value."""
    lines = [
        {"number": line.number, "source": line.source, "values": [_value(value, loaded) for value in line.values]}
        for line in block.lines
    ]
    return {"title": block.title, "file": block.file, "name": block.name, "cell": block.is_cell, "lines": lines}


def _value(value: Value, loaded: LoadedModel) -> dict[str, Any]:
    return {
        "source": value.source,
        "kind": value.kind,
        "shape": list(value.shape),
        "numbers": packed(value.array.ravel().astype("<f4")),
        "units": unit_names(value, loaded),
    }


def unit_names(value: Value, loaded: LoadedModel) -> list[str]:
    """Return the names of a unit's values; [""] for one, [] for values without unit."""
    if any(part in value.source for part in NOT_BY_UNIT):
        return []
    network = loaded.checkpoint.model
    gates = ["q", "k", "v"]
    if isinstance(network, CharRNN):  # the gate order of an edited cell is unknown
        gates = [] if network.bptt_difference() else list(network.cell.gate_names)
    blocks, rest = divmod(value.array.size, loaded.info.hidden_dim)
    if rest:
        return []
    return [""] if blocks == 1 else gates if blocks == len(gates) else []
