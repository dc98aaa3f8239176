"""
Record one decode step of a network as a graph of its torch operations.

The step is run once in float64 while a dispatch mode sees each operation of ATen, after torch has normalized its
spelling: methods, operators, in-place forms and named parameters arrive as one. Operations on constants alone run in
torch and leave a constant. Nothing of the network's code is changed or parsed.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_unflatten

from charrnn.export import aten
from charrnn.export.graph import Graph, Node, StateArray, is_whole

TORCH = Path(torch.__file__).parent
HERE = Path(__file__).parent
LEAVES_TORCH = {"numpy", "tolist", "item", "__array__", "__bool__", "__float__", "__int__", "__index__"}


class RecordingError(ValueError):
    """A step cannot be recorded; the message names the operation and its line."""


def record(network: Any) -> Graph:
    """
    Return the graph of a network's decode step.

    network: in float64 on the CPU; has `initial_output()` -> (logits, state, activations) and
    `forward_with_activations(ids, state)` with the same results. Raises RecordingError.
    """
    with torch.no_grad():
        _, state, _ = network.initial_output()
        leaves, form = tree_flatten(state)
        growing = [_growing(leaf) for leaf in leaves]
        if not {None, -2}.issuperset(growing):
            raise RecordingError("a state grows along another dimension than the last but one")
        lengths = cache_lengths(network.context) if any(growing) else [0]
        recordings = [_Recording(network, _tensors_of_length(leaves, length), form) for length in lengths]
    first = recordings[0]
    merged = [_merged(recordings, lengths, at) for at in range(max(len(recording.nodes) for recording in recordings))]
    arrays = zip(first.names, growing, strict=True)
    state = {name: StateArray(first.inputs[name], first.outputs[name], dim) for name, dim in arrays}
    return _without_unused(Graph(tuple(merged), first.id, first.logits, state, first.activations, network.context))


def cache_lengths(context: int) -> list[int]:
    """Return the cache lengths to record at: one or two below the full one, and that."""
    return [*((3, 5) if context > 6 else range(max(0, context - 3), context - 1)), context - 1]


def _growing(leaf: Any) -> int | None:
    """Return the dimension, from the end, of size 0 in an array of the initial state."""
    sizes = [*leaf.shape] if isinstance(leaf, Tensor) else []
    return sizes.index(0) - len(sizes) if 0 in sizes else None


def leaves_of_length(leaves: Sequence[Any], length: int) -> list[Any]:
    """Return random arrays of a state after `length` characters."""
    rng = torch.Generator().manual_seed(length)

    def of_length(leaf: Any) -> Any:
        if not isinstance(leaf, Tensor):
            return length
        shape = [length if size == 0 else size for size in leaf.shape]
        return torch.randn(shape, generator=rng, dtype=torch.float64)

    return [*map(of_length, leaves)]


def _tensors_of_length(leaves: Sequence[Any], length: int) -> list[Tensor]:
    """Return `leaves_of_length` with the position as a tensor, an input of the graph."""
    return [torch.as_tensor(leaf, dtype=torch.float64) for leaf in leaves_of_length(leaves, length)]


def names_of(state: Any, prefix: str = "") -> list[str]:
    """Return the names of a state's arrays in `tree_flatten` order: "h", or "keys.0"."""
    if isinstance(state, tuple | list):
        fields = getattr(state, "_fields", range(len(state)))
        parts = zip(fields, state, strict=True)
        return [name for field, part in parts for name in names_of(part, f"{prefix}.{field}" if prefix else f"{field}")]
    return [prefix]


class _Recording:
    """One run of the step and the nodes recorded from it."""

    def __init__(self, network: Any, leaves: Sequence[Tensor], form: Any):
        self.nodes: list[Node] = []
        self._node_of: dict[int, tuple[int, Tensor]] = {}  # by id(); holding the tensor keeps the id unique
        self._constants: dict[Any, int] = {}
        self._stale: set[int] = set()  # tensors whose storage was changed through another one
        for name, weight in (*network.named_parameters(), *network.named_buffers()):
            self.put(weight, Node("weight", (), stripped(weight.shape), {"name": name}))
        ids = torch.zeros(1, 1, dtype=torch.int64)
        self.id = self.put(ids, Node("input", (), (), {"name": "id"}))
        state = tree_unflatten([*leaves], form)
        self.names = names_of(state)
        self.inputs = {
            name: self.put(leaf, Node("input", (), stripped(leaf.shape), {"name": name}))
            for name, leaf in zip(self.names, leaves, strict=True)
        }
        with _Refusals(), _Dispatch(self):
            logits, after, seen = network.forward_with_activations(ids, state)
        if names_of(after) != self.names:
            raise RecordingError(f"the state changes its form: {', '.join(self.names)} to {', '.join(names_of(after))}")
        self.logits = self.node(logits)
        self.outputs = dict(zip(self.names, map(self.node, tree_flatten(after)[0]), strict=True))
        self.activations = {name: self.node(value) for name, value in seen.items()}

    def put(self, tensor: Tensor, node: Node) -> int:
        """Append the node that computes a tensor and return its number."""
        self.nodes.append(node)
        self.bind(tensor, len(self.nodes) - 1)
        return len(self.nodes) - 1

    def bind(self, tensor: Tensor, node: int) -> None:
        """Map a tensor to an existing node."""
        self._node_of[id(tensor)] = (node, tensor)

    def follows(self, value: Any) -> bool:
        """Return whether a value depends on inputs or weights."""
        return isinstance(value, Tensor) and id(value) in self._node_of

    def node(self, value: Any) -> int:
        """Return the node of a tensor or number; a constant if it depends on nothing."""
        if self.follows(value):
            if id(value) in self._stale:
                raise RecordingError(f"an array is used after a part of it was changed in place ({line_of_caller()})")
            return self._node_of[id(value)][0]
        if isinstance(value, Tensor) and value.is_complex():
            value = torch.view_as_real(value)
        value = value.detach() if isinstance(value, Tensor) else torch.tensor(float(value), dtype=torch.float64)
        key = (stripped(value.shape), value.double().numpy().tobytes())
        if key not in self._constants:
            self.nodes.append(Node("constant", (), key[0], {"value": value.double().reshape(key[0]).tolist()}))
            self._constants[key] = len(self.nodes) - 1
        return self._constants[key]

    def add(self, op: str, inputs: Sequence[Any], result: Tensor, **params: Any) -> None:
        """Record an operation on tensors or numbers."""
        self.add_nodes(op, [*map(self.node, inputs)], result, **params)

    def add_nodes(self, op: str, nodes: Sequence[int], result: Tensor, **params: Any) -> None:
        """Record an operation on nodes."""
        shape = stripped((*result.shape, 2) if result.is_complex() else result.shape)
        given = {name: value for name, value in params.items() if value is not None}
        self.put(result, Node(op, tuple(nodes), shape, given, line_of_caller()))

    def reshaped(self, value: Tensor, result: Tensor) -> None:
        """Record a change of shape that keeps the order; none if only leading 1s change."""
        if stripped(value.shape) == stripped(result.shape):
            self.bind(result, self.node(value))
        else:
            self.add("reshape", [value], result)

    def replaced(self, target: Tensor, value: Tensor) -> None:
        """
        Record that `target` was changed in place to `value`.

        Arrays that contain all of it change too; other views of the same memory are stale, and using one is an error.
        """
        changed = _positions(target)
        for node, other in [*self._node_of.values()]:
            if other is target or other.untyped_storage().data_ptr() != target.untyped_storage().data_ptr():
                continue
            places = {place: at for at, place in enumerate(_positions(other))}
            if set(changed) <= set(places):
                self.add_nodes("put", [node, self.node(value)], other, at=[places[place] for place in changed])
            elif not places.keys().isdisjoint(changed):
                self._stale.add(id(other))
        self.bind(target, self.node(value))


def _positions(tensor: Tensor) -> list[int]:
    """Return where each number of a tensor is stored, in its logical order."""
    first = int(tensor.storage_offset())
    last = first + sum((size - 1) * step for size, step in zip(tensor.shape, tensor.stride(), strict=True))
    stored = torch.arange(first, last + 1)
    return stored.as_strided(tensor.shape, tensor.stride()).flatten().tolist()


class _Dispatch(TorchDispatchMode):
    def __init__(self, recording: _Recording):
        super().__init__()
        self._recording = recording

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # True imports torch._dynamo, which takes seconds

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        named = arguments(func, args, kwargs or {})
        if torch.Tag.nondeterministic_seeded in func.tags and operation(func) not in aten.HANDLERS:
            raise RecordingError(f"{operation(func)} is random ({line_of_caller()})")
        out = func(*args, **(kwargs or {}))
        flat = [part for value in named.values() for part in (value if isinstance(value, list | tuple) else [value])]
        if any(map(self._recording.follows, flat)):
            handle = aten.HANDLERS.get(operation(func))
            if handle is None:
                raise RecordingError(f"{operation(func)} cannot be recorded ({line_of_caller()})")
            try:
                handle(self._recording, named, out)
            except aten.UnsupportedError as error:
                raise RecordingError(f"{operation(func)} cannot be recorded {error} ({line_of_caller()})") from None
        return out


class _Refusals(TorchFunctionMode):
    """Raise RecordingError for functions that read a tensor's numbers outside torch."""

    def __torch_function__(self, func: Callable, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if getattr(func, "__name__", "") in LEAVES_TORCH:
            raise RecordingError(f"{func.__name__}() of a tensor cannot be recorded ({line_of_caller()})")
        return func(*args, **(kwargs or {}))


def arguments(func: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Return all arguments of an operation by the names of its schema."""
    named = {argument.name: argument.default_value for argument in func._schema.arguments}
    return named | dict(zip(named, args, strict=False)) | dict(kwargs)


def operation(func: Any) -> str:
    """Return an ATen operation's name without overload: "add", or "add_" in place."""
    return func._schema.name.removeprefix("aten::")


def line_of_caller() -> str:
    """Return "file:line" of the innermost frame outside torch and this package."""
    frame = sys._getframe(1)
    while frame is not None:
        path = Path(frame.f_code.co_filename)
        if not (path.is_relative_to(TORCH) or path.is_relative_to(HERE)):
            return f"{path.name}:{frame.f_lineno}"
        frame = frame.f_back
    return ""


def stripped(shape: Sequence[int]) -> tuple[int, ...]:
    """Return a shape without the ones at its front."""
    sizes = [*shape]
    while sizes and sizes[0] == 1:
        del sizes[0]
    return tuple(sizes)


def _without_unused(graph: Graph) -> Graph:
    """Drop slices that keep everything, repeated reshapes, and unused nodes."""
    replaced_by: dict[int, int] = {}  # itself; for a slice that keeps everything, its input
    nodes = [*graph.nodes]
    for at, node in enumerate(nodes):
        if node.op == "reshape" and nodes[source := replaced_by[node.inputs[0]]].op == "reshape":
            nodes[at] = node = replace(node, inputs=nodes[source].inputs)
        whole = node.op == "slice" and is_whole(node.params)
        replaced_by[at] = replaced_by[node.inputs[0]] if whole else at
    arrays = graph.state.values()
    needed = {
        replaced_by[at] for at in (graph.logits, *graph.activations.values(), *(array.output for array in arrays))
    }
    for at in reversed(range(len(nodes))):
        if at in needed:
            needed |= {replaced_by[source] for source in nodes[at].inputs}
    needed |= {graph.id, *(array.input for array in arrays)}
    number = {at: new for new, at in enumerate(sorted(needed))}

    def place(at: int) -> int:
        return number[replaced_by[at]]

    return Graph(
        tuple(replace(nodes[at], inputs=tuple(map(place, nodes[at].inputs))) for at in sorted(needed)),
        place(graph.id),
        place(graph.logits),
        {name: replace(a, input=place(a.input), output=place(a.output)) for name, a in graph.state.items()},
        {name: place(at) for name, at in graph.activations.items()},
        graph.context,
    )


def _merged(recordings: Sequence[_Recording], lengths: Sequence[int], at: int) -> Node:
    """Return one node for caches of any length, from its recordings at several."""
    nodes = [recording.nodes[at] for recording in recordings if at < len(recording.nodes)]
    first, names = nodes[0], dict.fromkeys(name for node in nodes for name in node.params)
    if len(nodes) < len(recordings) or len({(node.op, node.inputs) for node in nodes}) > 1:
        raise RecordingError(f"the operations depend on the number of characters read ({first.line})")
    if first.op == "constant" and any(node.params != first.params for node in nodes):
        raise RecordingError(f"a constant depends on the number of characters read ({first.line})")
    shape = size_by_length([node.shape for node in nodes], lengths)
    params = {name: size_by_length([node.params.get(name) for node in nodes], lengths) for name in names}
    return replace(first, shape=tuple(shape), params=params)


def size_by_length(values: Sequence[Any], lengths: Sequence[int]) -> Any:
    """Merge a value recorded at several lengths: itself, or a length-dependent size."""
    if all(value == values[0] for value in values):
        return [*values[0]] if isinstance(values[0], tuple) else values[0]
    if all(isinstance(value, list | tuple) for value in values) and len({len(value) for value in values}) == 1:
        return [size_by_length(parts, lengths) for parts in zip(*values, strict=True)]
    *growing, full = values
    if None in growing:  # the open end of a slice
        per, rest = None, any(value is not None for value in growing)
    else:
        slope, rest = divmod(growing[-1] - growing[0], max(1, lengths[-2] - lengths[0]))
        per = [growing[0] - slope * lengths[0], slope]
    if rest:
        raise RecordingError(f"a size is {', '.join(map(str, values))} after {', '.join(map(str, lengths))} characters")
    return {"per": per, "full": full}
