"""The source trace of the static page equals that of Python's tracer."""

import base64
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from charrnn.cells import HiddenState, NoGates, VanillaRNNCell, tanh
from charrnn.export import recorded_step
from charrnn.export.network_file import pack_network
from charrnn.ui.server.checkpoint_store import Store
from charrnn.ui.server.loaded_model import LoadedModel
from charrnn.ui.server.prefix_cache import PrefixCache
from charrnn.ui.server.view_query import ViewQuery
from charrnn.ui.under_the_hood.source_template import HOW, source_template
from charrnn.ui.under_the_hood.source_trace import cell_lines
from tests.engine_cases import NETWORKS
from tests.node import node_json
from tests.small_models import save_small

KINDS = [name for name, config in NETWORKS.items() if "cell" in config]
TEXTS = ("First Citizen: hear me, ye gods! Hear me", "O", "To be, or not to be: that is the question", "Speak, speak.")
LENGTHS = (0, 1, 2, 5, 6, 16, 17, 40)  # MiniGPT's caches become full between some of them


def store_of(folder: Path, name: str) -> Store:
    save_small(folder / name, NETWORKS[name])
    return Store(folder)


def queries(name: str, texts: Iterable[str], layer: int = 1) -> list[dict[str, Any]]:
    common = {"number": 7, "checkpoint": {"name": name, "step": 40}}
    return [{**common, "form": {"text": text, "layer": layer}} for text in texts]


def in_page(loaded: LoadedModel, template: Any, asked: list[dict[str, Any]], folder: Path) -> list[Any]:
    """Return the messages that the page computes from a template."""
    file = folder / "network.safetensors"
    file.write_bytes(pack_network(loaded.checkpoint.model, model=loaded.metadata(), views={}))
    return node_json("run_source_values.mjs", {"file": str(file), "template": template, "queries": asked})


def by_python(store: Store, query: dict[str, Any]) -> Any:
    (answer,) = cell_lines(store, PrefixCache(), ViewQuery.from_page(query))
    return json.loads(answer)


def take_numbers(message: dict[str, Any]) -> list[np.ndarray]:
    """Remove the numbers of a message and return them."""
    values = [value for block in message.get("blocks", []) for line in block["lines"] for value in line["values"]]
    return [np.frombuffer(base64.b64decode(value.pop("numbers")), "<f4").astype(float) for value in values]


@pytest.mark.parametrize("name", KINDS)
def test_page_shows_the_lines_of_the_tracer(tmp_path: Path, name: str):
    store = store_of(tmp_path, name)
    loaded = store.load(name)
    texts = [text[:length] for text in TEXTS for length in LENGTHS if length <= len(text)]
    for layer in range(1, NETWORKS[name].get("layers", 1) + 1):
        template, asked = source_template(loaded, layer), queries(name, texts, layer)
        assert "Left out" not in template["words"]
        for query, found in zip(asked, in_page(loaded, template, asked, tmp_path), strict=True):
            expected = by_python(store, query)
            for array, other in zip(take_numbers(found), take_numbers(expected), strict=True):
                np.testing.assert_allclose(array, other, rtol=1e-6, atol=1e-6)
            words = expected.pop("words").replace("the code re-run on this character", "{}")
            assert found.pop("words").replace(HOW, "{}") == words
            assert found == {key: expected[key] for key in found}
            assert set(expected) - set(found) == {"part", "figure"}


class CellWithUnusedLines(VanillaRNNCell):
    def update(self, from_input: Any, from_state: Any, state: Any) -> Any:
        unused = tanh(from_input - from_state)  # noqa: F841  no output needs it, so the recorded step does not have it
        both = from_input + from_state
        low, high = both.chunk(2, dim=-1)  # noqa: F841  not needed either, but parts of a node
        h = tanh(both)
        return HiddenState(h), NoGates()


def values_of(block: dict[str, Any]) -> dict[str, Any]:
    return {value["source"]: value for line in block["lines"] for value in line["values"]}


def test_values_refer_to_what_computes_them(tmp_path: Path):
    """Check parts of a node, unrecorded constants, and values no output needs."""
    loaded = store_of(tmp_path, "rnn").load("rnn")
    network: Any = loaded.checkpoint.model
    network.cell.__class__ = CellWithUnusedLines
    template = source_template(loaded)
    left_out = "Left out, since the recorded step has no such values: from_input - from_state, unused."
    assert template["words"].endswith(left_out)
    cell = values_of(template["blocks"][1])
    assert not {"unused", "from_input - from_state"} & cell.keys()
    low, high = (cell[name]["numbers"] for name in ("low", "high"))
    node, *part = cell["h"]["numbers"]
    graph = recorded_step(network)
    assert graph.nodes[node].op == "tanh" and part == [0, 20]
    (added,) = graph.nodes[node].inputs
    assert (low, high) == ([added, 0, 10], [added, 10, 10])
    rotation, *_ = source_template(store_of(tmp_path, "minigpt").load("minigpt"))["blocks"]
    pairs = np.frombuffer(base64.b64decode(values_of(rotation)["pairs"]["numbers"]), "<f4")
    assert pairs.tolist() == [0, 1, 2, 3]


def test_unknown_character_is_named(tmp_path: Path):
    loaded = store_of(tmp_path, "rnn").load("rnn")
    found = in_page(loaded, source_template(loaded), queries("rnn", ["a€b", "ab€"]), tmp_path)
    assert found == [f"the model does not know the character '€' at position {k}; leave it out" for k in (1, 2)]
