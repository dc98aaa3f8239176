"""A network's recorded step, checked against its module, and its decoder."""

import copy
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch.utils._pytree import tree_flatten, tree_unflatten

from charrnn.export.cache_buffer import CacheView
from charrnn.export.decoder import GraphDecoder, GraphState, array_of
from charrnn.export.graph import Graph
from charrnn.export.module_decoder import ModuleDecoder
from charrnn.export.recorder import RecordingError, leaves_of_length, record

SLOW_GENERATION = "The decode step of this network cannot be recorded: the torch module generates, several times slower"
CHECKED = 64  # characters of the check
CLOSE = 1e-9  # relative to values above 1, absolute below
_RECORDED = "_recorded_step"  # attribute of a network: its graph, or why there is none


def recorded_step(network: Any) -> Graph:
    """
    Return the graph of a network's step, checked against its module.

    It is recorded once per network; copies share it, since it holds no weights. Raises RecordingError.
    """
    known = vars(network).get(_RECORDED)
    if known is None:
        try:
            exact = exact_copy(network)
            known = record(exact)
            require_same_steps(exact, known)
        except RecordingError as error:
            known = f"{error}"
        except Exception as error:  # edited equations can raise anything
            known = f"{type(error).__name__}: {error}"
        object.__setattr__(network, _RECORDED, known)
    if isinstance(known, str):
        raise RecordingError(known)
    return known


def decoder_of(network: Any) -> GraphDecoder | ModuleDecoder:
    """Return a decoder on a float64 copy of the network's current weights."""
    reason, exact = not_recorded(network), exact_copy(network)
    return ModuleDecoder(exact, reason) if reason else graph_decoder(exact, recorded_step(network))


def not_recorded(network: Any) -> str:
    """Return why a network's step cannot be recorded; "" if it can."""
    try:
        recorded_step(network)
    except RecordingError as error:
        return f"{error}"
    return ""


def slow_generation_notices(network: Any) -> list[str]:
    """Return a notice if a network's step cannot be recorded, else none."""
    reason = not_recorded(network)
    return [f"{SLOW_GENERATION} ({reason})."] if reason else []


def exact_copy(network: Any) -> Any:
    """Return a copy in float64 on the CPU."""
    return copy.deepcopy(network).cpu().double()


def graph_decoder(exact: Any, graph: Graph) -> GraphDecoder:
    """Return the decoder of a float64 network by its graph."""
    with torch.no_grad():
        logits, state, seen = exact.initial_output()
    weights = {name: weight.numpy(force=True) for name, weight in (*exact.named_parameters(), *exact.named_buffers())}
    activations = {name: array_of(value) for name, value in seen.items()}
    return GraphDecoder(graph, weights, array_of(logits), state_arrays(graph, state), activations)


def state_arrays(graph: Graph, state: Any) -> list[Any]:
    """Return the state of a module for one text as the arrays of a `GraphState`."""
    arrays: list[Any] = []
    for leaf, kind in zip(tree_flatten(state)[0], graph.state.values(), strict=True):
        array = array_of(leaf)
        if kind.growing is not None:
            shape = graph.size(graph.nodes[kind.input].shape, leaf.shape[kind.growing])
            array = CacheView.of(array.reshape(shape), graph.context or 0)
        arrays.append(array)
    return arrays


def module_state(exact: Any, state: GraphState) -> Any:
    """Return a `GraphState` as the state of the module."""
    leaves, form = tree_flatten(exact.initial_output()[1])
    arrays = [array.values if isinstance(array, CacheView) else np.asarray(array) for array in state.arrays]
    tensors = [
        torch.from_numpy(np.ascontiguousarray(array)).reshape([-1 if size == 0 else size for size in leaf.shape])
        if isinstance(leaf, torch.Tensor)
        else type(leaf)(array)
        for leaf, array in zip(leaves, arrays, strict=True)
    ]
    return tree_unflatten(tensors, form)


@torch.no_grad()
def require_same_steps(exact: Any, graph: Graph) -> None:
    """Raise RecordingError unless graph and module agree on each step."""
    decoder, rng = graph_decoder(exact, graph), np.random.default_rng(0)
    for state, count in _starts(exact, graph):
        ids = rng.integers(exact.embed.num_embeddings, size=count).tolist()
        for id in ids:
            found = decoder.step(id, GraphState(tuple(state_arrays(graph, state)), np.empty(0), {}))
            logits, state, seen = exact.forward_with_activations(torch.tensor([[id]]), state)
            expected = {"the logits": logits, **seen}
            found_by_name = {"the logits": found.logits, **found.activations}
            for name, value in expected.items():
                _require_close(name, found_by_name[name], array_of(value))
            for name, a, b in zip(graph.state, found.state.arrays, state_arrays(graph, state), strict=True):
                a, b = (part.values if isinstance(part, CacheView) else part for part in (a, b))
                _require_close(f"the state's {name}", a, b)


def _starts(exact: Any, graph: Graph) -> Iterator[tuple[Any, int]]:
    """Yield states and character counts: a text's start, and where the cache fills."""
    _, state, _ = exact.initial_output()
    yield state, CHECKED
    if graph.full is not None and graph.full > CHECKED // 2:
        leaves, form = tree_flatten(state)
        yield tree_unflatten(leaves_of_length(leaves, graph.full - 4), form), 8


def _require_close(name: str, found: Any, expected: Any) -> None:
    found, expected = np.asarray(found), np.asarray(expected)
    if found.shape != expected.shape:
        raise RecordingError(f"{name} has the shape {[*found.shape]} by its recorded step, not {[*expected.shape]}")
    if not np.allclose(found, expected, rtol=CLOSE, atol=CLOSE, equal_nan=True):
        raise RecordingError(f"{name} differs by {np.abs(found - expected).max():.2g} from the module")


def graph_json(network: Any) -> dict[str, Any]:
    """
    Return the recorded step and its initial values as JSON-safe data.

    `beginning` has the logits (V,), the arrays of the state (empty if they grow) and the activations, by name. Raises
    RecordingError.
    """
    graph = recorded_step(network)
    with torch.no_grad():
        logits, state, seen = exact_copy(network).initial_output()
    arrays = zip(graph.state, tree_flatten(state)[0], strict=True)
    beginning = {
        "logits": array_of(logits).tolist(),
        "state": {name: array_of(value).ravel().tolist() for name, value in arrays},
        "activations": {name: array_of(value).tolist() for name, value in seen.items()},
    }
    return graph.to_json() | {"beginning": beginning}
