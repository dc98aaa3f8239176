"""Run a recorded step in numpy, one character at a time."""

import copy
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from torch import Tensor

from charrnn.clamps import Clamp, ClampSet
from charrnn.export.cache_buffer import CacheView
from charrnn.export.graph import Graph, Node, is_whole
from charrnn.export.kernels import KERNELS, SHAPED, kernel_of
from charrnn.sampling import DecoderOutput, Trace, read_stepwise

MAX_TABLE_NUMBERS = 4_000_000  # cached over all characters, 32 MB


class GraphState(NamedTuple):
    """State of a `GraphDecoder`: the arrays of the next step, and the last output."""

    arrays: tuple[Any, ...]  # in the order of `Graph.state`; a growing one is a CacheView
    logits: np.ndarray  # (V,)
    activations: Mapping[str, np.ndarray]


class GraphDecoder:
    """
    A numpy decoder for one character at a time; implements `sampling.Decoder`.

    No batch and no gradient, in float64. Values that depend on the weights alone are computed once, values that depend
    on the weights and the character once per character.
    """

    def __init__(
        self,
        graph: Graph,
        weights: Mapping[str, np.ndarray],
        logits: np.ndarray,
        arrays: Sequence[Any],
        activations: Mapping[str, np.ndarray],
    ):
        """
        Prepare to run a graph.

        weights: arrays by name, in float64. logits, arrays of the state and activations: before the first character.
        """
        self.graph = graph
        self._beginning = GraphState(tuple(arrays), logits, activations)
        self._clamps: ClampSet | None = None
        self._programs: dict[int, _Program] = {}
        self._values = _fixed_values(graph, weights)
        self._sized = any(map(_is_sized, graph.nodes))
        self._by_id: dict[int, tuple[Any, ...]] = {}

    @property
    def names(self) -> list[str]:
        """Names of the activations, which can be clamped."""
        return [*self.graph.activations]

    def clamped(self, clamps: Sequence[Clamp]) -> "GraphDecoder":
        """
        Return a decoder with these clamps; weights are shared.

        A clamp replaces what its node computes, before anything uses it. Raises ValueError for a clamp that does not
        fit.
        """
        nodes = self.graph.nodes
        units = {name: nodes[at].shape[-1] for name, at in self.graph.activations.items()}
        for name in {clamp.name for clamp in clamps} & units.keys():
            if nodes[self.graph.activations[name]].op in ("input", "weight", "constant"):
                raise ValueError(f"{name} cannot be clamped in this network: the step does not compute it")
        twin = copy.copy(self)
        twin._clamps, twin._programs, twin._by_id = ClampSet(clamps, units), {}, {}
        return twin

    def prefill(self, ids: Sequence[int], state: GraphState | None = None) -> DecoderOutput:
        """Read ids from `state` (None: the start of the text); ids may be empty."""
        state = self._beginning if state is None else state
        output = DecoderOutput(state.logits, state, state.activations)
        for id in ids:
            output = self.step(id, output.state)
        return output

    def read(self, ids: Sequence[int], state: GraphState | None = None) -> Trace:
        """Read ids (at least one) from `state`; equals repeated `step` bit for bit."""
        return read_stepwise(self, ids, state)

    def step(self, id: int, state: GraphState) -> DecoderOutput:
        """Read one character."""
        program = self._program(state)
        values = program.values_before(state)
        known = self._by_id.get(id)
        if known is None:
            known = program.of_character(values, id)
            if len(self._by_id) * program.numbers_per_id < MAX_TABLE_NUMBERS:
                self._by_id[id] = known
        for slot, value in zip(program.id_slots, known, strict=True):
            values[slot] = value
        for run in program.steps:
            run(values)
        logits = values[self.graph.logits]
        activations = {name: values[at] for name, at in self.graph.activations.items()}
        return DecoderOutput(logits, GraphState(program.state_after(values), logits, activations), activations)

    def values(self, id: int, state: GraphState) -> list[Any]:
        """Return the value of each node for one character; growing caches as CacheView."""
        program = self._program(state)
        values = program.values_before(state)
        values[self.graph.id] = id
        for run in (*program.per_id, *program.steps):
            run(values)
        return values

    def _program(self, state: GraphState) -> "_Program":
        """Return the steps for the lengths of this state."""
        if self.graph.context is None:
            return self._programs.get(0) or self._new_program(0)
        length = next(len(array) for array in state.arrays if isinstance(array, CacheView))
        regime = length if self._sized or length == self.graph.full else -1
        return self._programs.get(regime) or self._new_program(length, regime)

    def _new_program(self, length: int, regime: int = 0) -> "_Program":
        program = self._programs[regime] = _Program(self.graph, self._values, length, self._clamps)
        return program


Step = Callable[[list[Any]], None]


def _step(function: Callable[..., Any], node: Node, slot: int, fixed: Sequence[Any]) -> Step:
    """Return a function that computes one node in place in the list of values."""
    known = [fixed[source] for source in node.inputs[1:]]
    if function is KERNELS["linear"] and len(node.shape) == 1 and len(known) == 2 and all(k is not None for k in known):
        source, product, bias = node.inputs[0], known[0].dot, known[1]

        def with_bias(values: list[Any]) -> None:
            values[slot] = product(values[source]) + bias

        return with_bias
    if len(node.inputs) == 1:
        (x,) = node.inputs

        def unary(values: list[Any]) -> None:
            values[slot] = function(values[x])

        return unary
    if len(node.inputs) == 2:
        x, y = node.inputs

        def binary(values: list[Any]) -> None:
            values[slot] = function(values[x], values[y])

        return binary

    def run(values: list[Any]) -> None:
        values[slot] = function(*[values[at] for at in node.inputs])

    return run


class _Program:
    """The nodes of a graph as functions and slots, for caches of one length."""

    def __init__(self, graph: Graph, fixed: Sequence[Any], length: int, clamps: ClampSet | None):
        self.graph, self._length = graph, length
        self.values: list[Any] = [*fixed]
        arrays = [*graph.state.values()]
        self.state_slots = [array.input for array in arrays]
        of_id = [graph.id]
        of_state = _followers(graph, self.state_slots)
        named = {at: name for name, at in graph.activations.items()}
        growing = {array.input for array in arrays if array.growing is not None}
        appended: dict[int, int] = {}  # node of a cache with one more position -> node of the cache before
        self.per_id: list[Step] = []
        self.steps: list[Step] = []
        for at, node in enumerate(graph.nodes):
            if self.values[at] is not None or node.op == "input":
                continue
            function = _function(graph, node, length)
            if node.op == "cat" and node.inputs[0] in growing and len(node.inputs) == 2:
                appended[at] = node.inputs[0]
                function = _append(graph.context or 0)
            elif node.op == "slice" and node.inputs[0] in appended and is_whole(sized_params(graph, node, length)):
                appended[at] = appended[node.inputs[0]]
                function = _same
            elif any(source in growing or source in appended for source in node.inputs):
                function = _of_views(function)
            if clamps is not None and at in named:
                function = _clamped(function, clamps, named[at])
            step = _step(function, node, at, self.values)
            if at in of_state:
                self.steps.append(step)
            else:
                self.per_id.append(step)
                of_id.append(at)
        outputs = {graph.logits, *graph.activations.values(), *(array.output for array in arrays)}
        used = outputs.union(*(graph.nodes[at].inputs for at in of_state))
        self.id_slots = [at for at in of_id if at in used]
        self.numbers_per_id = sum(math.prod(graph.size(graph.nodes[slot].shape, length)) for slot in self.id_slots)
        self._after = [self._output(array, appended) for array in arrays]

    def values_before(self, state: GraphState) -> list[Any]:
        """Return the values of the fixed nodes and of the state."""
        values = self.values.copy()
        for slot, array in zip(self.state_slots, state.arrays, strict=True):
            values[slot] = array
        return values

    def of_character(self, values: list[Any], id: int) -> tuple[Any, ...]:
        """Return the values that depend on the character alone, in order of `id_slots`."""
        values = [*values]
        values[self.graph.id] = id
        for run in self.per_id:
            run(values)
        return tuple(values[slot] for slot in self.id_slots)

    def state_after(self, values: Sequence[Any]) -> tuple[Any, ...]:
        return tuple(output(values) for output in self._after)

    def _output(self, array: Any, appended: Mapping[int, int]) -> Callable[[Sequence[Any]], Any]:
        """Return a function from the values of all nodes to one array of the next state."""
        slot, node, full = array.output, self.graph.nodes[array.output], self.graph.full or 0
        if array.growing is None or slot in appended:
            return lambda values: values[slot]
        if node.op == "slice" and node.inputs[0] in appended:
            source, params = node.inputs[0], sized_params(self.graph, node, self._length)
            if params["dim"] == array.growing:
                return lambda values: values[source].last(full)
        return lambda values: CacheView.of(values[slot], self.graph.context or 0)


def _function(graph: Graph, node: Node, length: int) -> Callable[..., Any]:
    if node.op in SHAPED:
        shape, function = tuple(graph.size(node.shape, length)), SHAPED[node.op]
        return lambda x: function(x, shape)
    return kernel_of(node.op, sized_params(graph, node, length))


def sized_params(graph: Graph, node: Node, length: int) -> dict[str, Any]:
    """Return the parameters of a node for caches of one length."""
    return {name: graph.size(value, length) for name, value in node.params.items()}


def _same(value: Any) -> Any:
    return value


def _is_sized(node: Node) -> bool:
    """Return whether the node's parameters change as a cache grows."""
    values = [*node.params.values(), *(node.shape if node.op in SHAPED else ())]
    return any(isinstance(value, dict) and value["per"] and value["per"][1] for value in values)


def _append(context: int) -> Callable[..., Any]:
    return lambda cache, value: cache.append(value, context)


def _of_views(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *values: function(*[value.values if isinstance(value, CacheView) else value for value in values])


def _clamped(function: Callable[..., Any], clamps: ClampSet, name: str) -> Callable[..., Any]:
    return lambda *values: clamps(name, function(*values))


def _followers(graph: Graph, sources: Sequence[int]) -> set[int]:
    """Return the nodes that depend on any of these, themselves included."""
    found = set(sources)
    for at, node in enumerate(graph.nodes):
        if not found.isdisjoint(node.inputs):
            found.add(at)
    return found


def _fixed_values(graph: Graph, weights: Mapping[str, np.ndarray]) -> list[Any]:
    """Return the value of each node that depends on weights alone, else None."""
    varying = _followers(graph, [graph.id, *(array.input for array in graph.state.values())])
    values: list[Any] = []
    for at, node in enumerate(graph.nodes):
        if at in varying:
            values.append(None)
        elif node.op == "weight":
            values.append(weights[node.params["name"]].reshape(node.shape))
        elif node.op == "constant":
            values.append(np.asarray(node.params["value"], dtype=np.float64))
        else:
            values.append(_function(graph, node, 0)(*[values[source] for source in node.inputs]))
    return values


def array_of(value: Any) -> np.ndarray:
    """Return a tensor or number as float64, without ones at the front of its shape."""
    array = np.asarray(value.detach().cpu().numpy() if isinstance(value, Tensor) else value, dtype=np.float64)
    while array.ndim and array.shape[0] == 1:
        array = array[0]
    return array
