"""
Source traces for a page without a server.

Each value of a line is a node of the recorded graph. The node of a value is found by its numbers: the network is
traced, and its recorded step is run, at the same characters of random texts. The numbers must agree at all of them.
"""

from collections.abc import Iterable, Sequence
from pathlib import PurePath
from typing import Any, NamedTuple

import numpy as np

from charrnn.export import Graph, cache_lengths, exact_copy, graph_decoder, recorded_step, size_by_length
from charrnn.tracing import Block, Line, layers_of, read_character
from charrnn.ui.server.loaded_model import LoadedModel
from charrnn.ui.under_the_hood.cell_diagram import diagram_of
from charrnn.ui.under_the_hood.source_trace import NO_TEXT, block_json, description

TEXTS = 3  # of each length
LENGTH = 20  # characters before the traced one, if no state grows
CLOSE = 1e-9  # absolute, and relative to larger numbers
HOW = "the recorded step of these lines, run in this page on this character"


class Candidate(NamedTuple):
    """A node of the graph with its numbers in each run; those of a weight only once."""

    index: int
    line: str
    numbers: np.ndarray  # (runs, N) or (1, N)


def source_template(loaded: LoadedModel, layer: int = 1) -> dict[str, Any]:
    """
    Return the message of the source trace, with references in place of numbers.

    `numbers` of a value is [node, index of the first number, count], or the numbers themselves if they are constant. A
    value that the recorded step does not compute is left out and named in `words`. A size that depends on the text is
    written as in `Graph`. The template is that of every training step; `words` has "{step}". layer: block of MiniGPT,
    from 1. Raises ValueError if the step cannot be recorded.
    """
    network = loaded.checkpoint.model
    graph = recorded_step(network)
    decoder = graph_decoder(exact_copy(network), graph)
    lengths = [LENGTH] if graph.context is None else cache_lengths(graph.context)
    rng = np.random.default_rng(0)
    runs, computed = [], []
    for length in np.repeat(lengths, TEXTS):
        *ids, last = rng.integers(len(loaded.vocab), size=length + 1).tolist()
        state = decoder.prefill(ids).state
        computed.append(decoder.values(last, state))
        runs.append(read_character(network, last, state, layer)[0])
    candidates = [*_candidates(graph, computed)]
    blocks = [block_json(block, loaded) for block in runs[-1]]
    missing: list[str] = []
    for block, *traced_blocks in zip(blocks, *runs, strict=True):
        for line, *traced_lines in zip(block["lines"], *(each.lines for each in traced_blocks), strict=True):
            places = _places(traced_blocks[-1], traced_lines[-1])
            values, line["values"] = line["values"], []
            for value, *traced in zip(values, *(each.values for each in traced_lines), strict=True):
                arrays = [each.array.astype(np.float64).ravel() for each in traced]
                reference = _find(arrays, candidates, places)
                if reference is None and any(not np.array_equal(array, arrays[0]) for array in arrays):
                    missing.append(value["source"])
                    continue
                shape = size_by_length([each.shape for each in traced[::TEXTS]], lengths)
                line["values"].append(value | {"shape": shape, "numbers": reference or value["numbers"]})
    words = [description(loaded, "{step}", HOW)]
    words += [f"Left out, since the recorded step has no such values: {', '.join(missing)}."] if missing else []
    return {
        "words": " ".join(words),
        "no_text": NO_TEXT,
        "blocks": blocks,
        "diagram": diagram_of(loaded.info.cell),
        "units": loaded.info.hidden_dim,
        "layer": layer,
        "layers": layers_of(network),
        "context": graph.context,
    }


def _candidates(graph: Graph, computed: Sequence[Sequence[Any]]) -> Iterable[Candidate]:
    """Yield the nodes whose size does not depend on the text."""
    for index, (node, *values) in enumerate(zip(graph.nodes, *computed, strict=True)):
        if not any(isinstance(size, dict) for size in node.shape):
            values = values[:1] if node.op == "weight" else values
            yield Candidate(index, node.line, np.stack([np.asarray(value, np.float64).ravel() for value in values]))


def _places(block: Block, line: Line) -> set[str]:
    """Return the lines of a statement as the graph names them."""
    count = len(line.source.splitlines())
    return {f"{PurePath(block.file).name}:{line.number + i}" for i in range(count)}


def _find(arrays: Sequence[np.ndarray], candidates: Iterable[Candidate], places: set[str]) -> list[int] | None:
    """
    Find a value among the nodes: [node, index of its first number, count] or None.

    arrays: its numbers in each run. Nodes of the same line come first, then those without other numbers. A part of a
    node's numbers is accepted only for a value that varies, since constants can be equal by chance.
    """
    if len({array.size for array in arrays}) > 1:
        return None
    value = np.stack(arrays)
    count, varies = value.shape[1], bool((value != value[0]).any())
    found = []
    for index, line, numbers in candidates:
        rest = numbers.shape[1] - count
        if rest < 0 or (rest and not varies) or (varies and len(numbers) == 1):
            continue
        starts = np.flatnonzero(_close(numbers[:, : rest + 1], value[:, :1]).all(axis=0)).tolist()
        matching = [first for first in starts if _close(numbers[:, first : first + count], value).all()]
        found += [(line not in places, rest, [index, first, count]) for first in matching[:1]]
    return min(found)[2] if found else None


def _close(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.isclose(a, b, rtol=CLOSE, atol=CLOSE, equal_nan=True)
