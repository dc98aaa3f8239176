"""
The graph of one decode step: a list of operations on named arrays, as JSON.

Nodes are numbered in the order in which they run; the inputs of a node are earlier nodes. Shapes have no batch and no
time dimension: dimensions of size 1 at the front are dropped, which changes no broadcast, and dimensions are counted
from the end (-1 is the last).

A size that depends on the number n of characters in a cache of keys and values is {"per": [a, b], "full": c}: a + b n
until the cache is full, c when it is. The open end of a slice is null.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

FORMAT = 1


@dataclass(frozen=True)
class Node:
    """
    One operation.

    op `input`, `weight` and `constant` have no inputs; their params are `name`, `name` and `value`. `line` is the
    source line that called the operation, "file:number".
    """

    op: str
    inputs: tuple[int, ...]
    shape: tuple[Any, ...]
    params: Mapping[str, Any] = field(default_factory=dict)
    line: str = ""


@dataclass(frozen=True)
class StateArray:
    """
    One array of the state.

    growing: the dimension that each character makes longer by one until the cache is full, or None.
    """

    input: int  # node with its value before the step
    output: int  # node with its value after the step
    growing: int | None = None


@dataclass(frozen=True)
class Graph:
    """
    One decode step: (id, state) -> (logits, state, activations).

    context: length of a full cache plus one, the current character; None if nothing grows.
    """

    nodes: tuple[Node, ...]
    id: int  # node of the input character's id
    logits: int
    state: Mapping[str, StateArray]
    activations: Mapping[str, int]  # node of each named state, gate or residual stream
    context: int | None = None

    def __deepcopy__(self, memo: Any) -> "Graph":
        return self  # immutable, so that copies of a network share it

    @property
    def full(self) -> int | None:
        """The length of a full cache."""
        return None if self.context is None else self.context - 1

    def size(self, value: Any, length: int) -> Any:
        """Return a size, or a list of sizes, for a cache of `length` characters."""
        if isinstance(value, dict):
            per = value["per"]
            return value["full"] if length == self.full else per and per[0] + per[1] * length
        return [self.size(part, length) for part in value] if isinstance(value, list | tuple) else value

    def to_json(self) -> dict[str, Any]:
        """Return the graph as JSON-safe data: `{"op", "in", "shape", …}` per node."""
        return {
            "format": FORMAT,
            "nodes": [_without_defaults(node) for node in self.nodes],
            "id": self.id,
            "logits": self.logits,
            "state": {name: {"in": a.input, "out": a.output, "growing": a.growing} for name, a in self.state.items()},
            "activations": dict(self.activations),
            "context": self.context,
        }


def _without_defaults(node: Node) -> dict[str, Any]:
    params = {name: _finite(value) for name, value in node.params.items()}
    data: dict[str, Any] = {"op": node.op, "in": [*node.inputs], "shape": [*node.shape], **params}
    return data | ({"line": node.line} if node.line else {})


def _finite(value: Any) -> Any:
    """Replace infinities and NaN, which JSON lacks, by their names."""
    if isinstance(value, list):
        return [_finite(part) for part in value]
    named = isinstance(value, float) and not math.isfinite(value)
    return ("NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity") if named else value


def is_whole(params: Mapping[str, Any]) -> bool:
    """Return whether a slice with these parameters keeps everything."""
    return (params["start"], params.get("end"), params["step"]) == (0, None, 1)
