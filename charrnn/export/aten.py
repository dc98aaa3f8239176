"""
Handlers that record each ATen operation as nodes of a graph.

A handler takes the recording, the arguments by the names of the operation's schema, and torch's result. HANDLERS maps
the names of operations to them.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

Handler = Callable[[Any, dict[str, Any], Any], None]
END = 2**63 - 1  # of an open slice


class UnsupportedError(ValueError):
    """An operation's arguments have no counterpart in a graph."""


def _require(fine: bool, what: str) -> None:
    if not fine:
        raise UnsupportedError(what)


def dims_of(dims: Any, rank: int) -> list[int]:
    """Return dimensions counted from the end; None and () mean all."""
    listed = [dims] if isinstance(dims, int) else [*dims] if dims else [*range(rank)]
    return [dim % max(1, rank) - max(1, rank) for dim in listed]


# ------------------------------------------------------------------------------------------------ elementwise


def unary(op: str, **names: str) -> Handler:
    """Return the handler of an operation on one input; names: node param=schema name."""

    def handle(r: Any, a: dict[str, Any], out: Tensor) -> None:
        value = next(iter(a.values()))
        r.add(op, [value], out, **{param: a[name] for param, name in names.items()})

    return handle


def binary(op: str, swap: bool = False) -> Handler:
    """
    Return the handler of an operation on two inputs that broadcast.

    The second one is scaled by the argument `alpha`, if the schema has it. swap: exchange the inputs.
    """

    def handle(r: Any, a: dict[str, Any], out: Tensor) -> None:
        x, y = [*a.values()][:2]
        if isinstance(x, Tensor) and x.is_complex():
            _require(op == "mul" and isinstance(y, Tensor) and y.is_complex(), "of complex numbers")
            r.add("complex_mul", [x, y], out)
            return
        _require(not a.get("rounding_mode"), f"with rounding_mode={a.get('rounding_mode')!r}")
        if (alpha := a.get("alpha", 1)) != 1:
            x, y = (_scaled(r, x, alpha), y) if swap else (x, _scaled(r, y, alpha))
        r.add(op, [y, x] if swap else [x, y], out)

    return handle


def _scaled(r: Any, value: Any, by: float) -> Any:
    if not r.follows(value):
        return value * by
    product = value * by
    r.add("mul", [value, by], product)
    return product


def clamp(r: Any, a: dict[str, Any], out: Tensor) -> None:
    value, low, high = a["self"], a.get("min", a.get("min_val")), a.get("max", a.get("max_val"))
    for op, bound, rest in (("maximum", low, high), ("minimum", high, None)):
        if bound is None:
            continue
        result = out if rest is None else torch.maximum(value, torch.as_tensor(bound, dtype=value.dtype))
        r.add(op, [value, bound], result)
        value = result


def addcmul(r: Any, a: dict[str, Any], out: Tensor) -> None:
    product = a["tensor1"] * a["tensor2"]
    r.add("mul", [a["tensor1"], a["tensor2"]], product)
    r.add("add", [a["self"], _scaled(r, product, a["value"]) if a["value"] != 1 else product], out)


def lerp(r: Any, a: dict[str, Any], out: Tensor) -> None:
    difference = a["end"] - a["self"]
    r.add("sub", [a["end"], a["self"]], difference)
    step = difference * a["weight"]
    r.add("mul", [difference, a["weight"]], step)
    r.add("add", [a["self"], step], out)


def logical(op: str) -> Handler:
    """Return the handler of a bitwise operation, which must be on booleans."""

    def handle(r: Any, a: dict[str, Any], out: Tensor) -> None:
        _require(out.dtype == torch.bool, "of integers")
        r.add(op, [*a.values()][: 1 if op == "logical_not" else 2], out)

    return handle


def where(r: Any, a: dict[str, Any], out: Tensor) -> None:
    r.add("where", [a["condition"], a["self"], a["other"]], out)


def masked_fill(r: Any, a: dict[str, Any], out: Tensor) -> None:
    r.add("where", [a["mask"], a["value"], a["self"]], out)


def cast(r: Any, a: dict[str, Any], out: Tensor) -> None:
    old, new = a["self"].dtype, out.dtype
    if new == torch.bool and old != torch.bool:
        r.add("ne", [a["self"], 0], out)
    elif old.is_floating_point and not new.is_floating_point and not new.is_complex:
        r.add("trunc", [a["self"]], out)
    else:
        _require(new in (torch.float64, torch.complex128) or not new.is_floating_point, f"to {new}")
        r.reshaped(a["self"], out)


def same(r: Any, a: dict[str, Any], out: Tensor) -> None:
    """Record a view or copy with the numbers in the same order."""
    r.reshaped(a["self"], out)


def as_complex(r: Any, a: dict[str, Any], out: Tensor) -> None:
    r.bind(out, r.node(a["self"]))


# ------------------------------------------------------------------------------------------------ reductions


def reduction(op: str) -> Handler:
    def handle(r: Any, a: dict[str, Any], out: Any) -> None:
        result = out[0] if isinstance(out, tuple | list) else out
        dims = dims_of(a.get("dim"), a["self"].dim())
        params = {"correction": a["correction"]} if "correction" in a else {}
        params |= {"order": float(a["ord"])} if "ord" in a else {}
        _require(params.get("order", 1) not in (float("inf"), float("-inf"), 0), "of this order")
        r.add(op, [a["self"]], result, dims=dims, keep=bool(a.get("keepdim", False)), **params)

    return handle


def extreme(op: str, index: str) -> Handler:
    """Return the handler of max or min: the value, and along a dimension its index."""

    def handle(r: Any, a: dict[str, Any], out: Any) -> None:
        if isinstance(out, Tensor):
            reduction(op)(r, a, out)
            return
        reduction(op)(r, a, out[0])
        reduction(index)(r, a, out[1])

    return handle


def along(op: str) -> Handler:
    """Return the handler of an operation along one dimension that keeps the shape."""

    def handle(r: Any, a: dict[str, Any], out: Tensor) -> None:
        r.add(op, [a["self"]], out, dim=dims_of(a["dim"], a["self"].dim())[0])

    return handle


def topk(r: Any, a: dict[str, Any], out: Any) -> None:
    _require(a["largest"] and a["sorted"], "unsorted, or of the smallest")
    dim = dims_of(a["dim"], a["self"].dim())[0]
    r.add("topk", [a["self"]], out[0], k=a["k"], dim=dim)
    r.add("topk_indices", [a["self"]], out[1], k=a["k"], dim=dim)


def layer_norm(r: Any, a: dict[str, Any], out: Any) -> None:
    _require(len(a["normalized_shape"]) == 1, "over several dimensions")
    given = [part for part in (a["weight"], a["bias"]) if part is not None]
    _require(len(given) != 1 or a["weight"] is not None, "with a bias alone")
    r.add("layer_norm", [a["input"], *given], out[0], eps=a["eps"])


def rms_norm(r: Any, a: dict[str, Any], out: Any) -> None:
    _require(len(a["normalized_shape"]) == 1, "over several dimensions")
    eps = torch.finfo(a["input"].dtype).eps if a["eps"] is None else a["eps"]
    r.add("rms_norm", [part for part in (a["input"], a["weight"]) if part is not None], out[0], eps=eps)


# ------------------------------------------------------------------------------------------------ products


def product(r: Any, x: Tensor, y: Tensor, bias: Any, out: Tensor) -> None:
    """Record x y, or W x + b if y is the transpose of an array."""
    node = r.nodes[r.node(y)]
    given = [] if bias is None else [bias]
    if node.op == "permute" and node.params["dims"] == [-1, -2]:
        r.add_nodes("linear", [r.node(x), node.inputs[0], *map(r.node, given)], out)
    elif bias is None:
        r.add("matmul", [x, y], out)
    else:
        result = x @ y
        r.add("matmul", [x, y], result)
        r.add("add", [result, bias], out)


def mm(r: Any, a: dict[str, Any], out: Tensor) -> None:
    x, y = [*a.values()][:2]
    product(r, x, y, None, out)


def addmm(r: Any, a: dict[str, Any], out: Tensor) -> None:
    _require(a["beta"] == 1 and a["alpha"] == 1, "with factors")
    _, x, y = [*a.values()][:3]
    product(r, x, y, a["self"], out)


def matrix_vector(r: Any, a: dict[str, Any], out: Tensor) -> None:
    r.add("linear", [a["vec"], a["self"]], out)


def dot(r: Any, a: dict[str, Any], out: Tensor) -> None:
    result = a["self"] * a["tensor"]
    r.add("mul", [a["self"], a["tensor"]], result)
    r.add("sum", [result], out, dims=[-1], keep=False)


def attention(r: Any, a: dict[str, Any], out: Any) -> None:
    """Record softmax(q kᵀ · scale) v for the last query, causal or not."""
    _require(a["query"].shape[-2] == 1 and a.get("attn_mask") is None and not a["dropout_p"], "with a mask or dropout")
    scale = a["query"].shape[-1] ** -0.5 if a["scale"] is None else a["scale"]
    r.add("attention", [a["query"], a["key"], a["value"]], out[0], scale=scale)


def lookup(r: Any, a: dict[str, Any], out: Tensor) -> None:
    table = a.get("weight", a.get("self"))
    indices = a["indices"] if isinstance(a["indices"], Tensor) else None
    if indices is None:  # x[i]
        _require(len(a["indices"]) == 1 and a["indices"][0].dtype == torch.int64, "by several indices, or by a mask")
        indices = a["indices"][0]
    r.add("lookup", [table, indices], out)


def index_select(r: Any, a: dict[str, Any], out: Tensor) -> None:
    _require(a["dim"] % a["self"].dim() == 0, "along another dimension than the first")
    r.add("lookup", [a["self"], a["index"]], out)


# ------------------------------------------------------------------------------------------------ parts


def permute(order_of: Callable[[dict[str, Any], int], list[int]]) -> Handler:
    def handle(r: Any, a: dict[str, Any], out: Tensor) -> None:
        value, order = a["self"], order_of(a, a["self"].dim())
        wide = [dim for dim in order if value.shape[dim] != 1]
        if wide == sorted(wide):
            r.reshaped(value, out)
        else:
            rank = value.dim()
            dims = [dim - rank for dim in order]
            while len(dims) > 2 and dims[0] == -len(dims) and value.shape[dims[0]] == 1:
                del dims[0]
            r.add("permute", [value], out, dims=dims)

    return handle


def swapped(a: dict[str, Any], rank: int) -> list[int]:
    order = [*range(rank)]
    i, j = a["dim0"] % rank, a["dim1"] % rank
    order[i], order[j] = order[j], order[i]
    return order


def part(r: Any, value: Tensor, dim: int, start: int, end: int | None, step: int, out: Tensor) -> None:
    """Record value[..., start:end:step, ...] along a dimension."""
    end = None if end is None or end >= value.shape[dim] else end
    r.add("slice", [value], out, dim=dims_of(dim, value.dim())[0], start=start, end=end, step=step)


def slice_(r: Any, a: dict[str, Any], out: Tensor) -> None:
    size = a["self"].shape[a["dim"]]
    start, end = a["start"] or 0, END if a["end"] is None else a["end"]
    start, end = (start + size if start < 0 else start), (end + size if end < 0 else end)
    part(r, a["self"], a["dim"], max(0, start), end, a["step"], out)


def whole(r: Any, a: dict[str, Any], out: Tensor) -> None:
    """Record a slice that keeps everything at this length of the cache."""
    r.add("slice", [a["self"]], out, dim=-1, start=0, step=1)


def select(r: Any, a: dict[str, Any], out: Tensor) -> None:
    value, at = a["self"], a["index"] % a["self"].shape[a["dim"]]
    if value.shape[a["dim"]] == 1:
        r.reshaped(value, out)
    else:
        r.add("select", [value], out, dim=dims_of(a["dim"], value.dim())[0], index=at)


def split(r: Any, a: dict[str, Any], out: Any) -> None:
    start = 0
    for piece in out:
        end = start + piece.shape[a["dim"]]
        part(r, a["self"], a["dim"], start, end, 1, piece)
        start = end


def unbind(r: Any, a: dict[str, Any], out: Any) -> None:
    for at, piece in enumerate(out):
        select(r, {"self": a["self"], "dim": a["dim"], "index": at}, piece)


def cat(r: Any, a: dict[str, Any], out: Tensor) -> None:
    r.add("cat", [*a["tensors"]], out, dim=dims_of(a["dim"], a["tensors"][0].dim())[0])


def stack(r: Any, a: dict[str, Any], out: Tensor) -> None:
    tensors = a["tensors"]
    if len(tensors) == 1:
        r.reshaped(tensors[0], out)
    else:
        r.add("stack", [*tensors], out, dim=dims_of(a["dim"], out.dim())[0])


def roll(r: Any, a: dict[str, Any], out: Tensor) -> None:
    _require(len(a["dims"]) == 1, "over several dimensions")
    r.add("roll", [a["self"]], out, shift=a["shifts"][0], dim=dims_of(a["dims"][0], a["self"].dim())[0])


def gather(r: Any, a: dict[str, Any], out: Tensor) -> None:
    r.add("gather", [a["self"], a["index"]], out, dim=dims_of(a["dim"], a["self"].dim())[0])


def constant_like(r: Any, a: dict[str, Any], out: Tensor) -> None:
    """Record nothing: a new array with the shape of another is a constant."""


def full_copy(r: Any, a: dict[str, Any], out: Tensor) -> None:
    source = a.get("src", a.get("value"))
    if isinstance(source, Tensor) and source.shape != out.shape:
        source = source.expand(out.shape)
    r.add("add", [torch.zeros_like(out), source], out)


def in_place(handle: Handler) -> Handler:
    """Return the handler of an operation that changes its first argument in place."""

    def handle_in_place(r: Any, a: dict[str, Any], out: Any) -> None:
        name = next(iter(a))
        new = a[name].clone()
        handle(r, a, new)
        r.replaced(a[name], new)

    return handle_in_place


UNARY = (
    *("neg", "abs", "exp", "exp2", "expm1", "log", "log1p", "log2", "sqrt", "rsqrt", "reciprocal", "sign", "square"),
    *("sin", "cos", "tanh", "sigmoid", "relu", "silu", "erf", "floor", "ceil", "round", "trunc", "logical_not"),
)
BINARY = (
    *("add", "sub", "mul", "div", "pow", "maximum", "minimum", "gt", "ge", "lt", "le", "eq", "ne"),
    *("logical_and", "logical_or"),
)
REDUCTIONS = ("sum", "mean", "amax", "amin", "argmax", "argmin", "prod", "logsumexp", "var", "std")
CONSTANTS = ("zeros_like", "ones_like", "full_like", "new_zeros", "new_ones", "new_full", "new_empty", "empty_like")
IN_PLACE = (
    *("add", "sub", "mul", "div", "pow", "neg", "abs", "exp", "tanh", "sigmoid", "relu", "silu", "sqrt", "rsqrt"),
    *("clamp", "clamp_min", "clamp_max", "hardtanh", "masked_fill", "addcmul", "lerp"),
)
HANDLERS: dict[str, Handler] = {
    **{op: unary(op) for op in UNARY},
    **{op: binary(op) for op in BINARY},
    **{f"bitwise_{op}": logical(f"logical_{op}") for op in ("and", "or", "not")},
    "rsub": binary("sub", swap=True),
    "polar": binary("polar"),
    "softplus": unary("softplus", beta="beta", threshold="threshold"),
    "leaky_relu": unary("leaky_relu", slope="negative_slope"),
    "elu": unary("elu", alpha="alpha", scale="scale"),
    "gelu": unary("gelu", approximate="approximate"),
    "clamp": clamp,
    "clamp_min": clamp,
    "clamp_max": clamp,
    "hardtanh": clamp,
    "addcmul": addcmul,
    "lerp": lerp,
    "where": where,
    "masked_fill": masked_fill,
    "_to_copy": cast,
    **dict.fromkeys(
        ("view", "_unsafe_view", "reshape", "unsqueeze", "squeeze", "clone", "contiguous", "detach", "_reshape_alias"),
        same,
    ),
    "lift_fresh": same,
    "alias": whole,
    "view_as_complex": as_complex,
    "view_as_real": as_complex,
    "expand": unary("expand"),
    **{op: reduction(op) for op in REDUCTIONS},
    "linalg_vector_norm": reduction("norm"),
    "max": extreme("amax", "argmax"),
    "min": extreme("amin", "argmin"),
    "_softmax": along("softmax"),
    "_log_softmax": along("log_softmax"),
    "cumsum": along("cumsum"),
    "topk": topk,
    "native_layer_norm": layer_norm,
    "_fused_rms_norm": rms_norm,
    "mm": mm,
    "bmm": mm,
    "addmm": addmm,
    "mv": matrix_vector,
    "dot": dot,
    "_scaled_dot_product_flash_attention_for_cpu": attention,
    "embedding": lookup,
    "index": lookup,
    "index_select": index_select,
    "gather": gather,
    "t": permute(lambda a, rank: [*reversed(range(rank))]),
    "transpose": permute(swapped),
    "permute": permute(lambda a, rank: [dim % rank for dim in a["dims"]]),
    "slice": slice_,
    "select": select,
    "split": split,
    "split_with_sizes": split,
    "unbind": unbind,
    "cat": cat,
    "stack": stack,
    "roll": roll,
    **dict.fromkeys((*CONSTANTS, "promote_types"), constant_like),
}
HANDLERS |= {
    **{f"{op}_": in_place(HANDLERS[op]) for op in IN_PLACE},
    **dict.fromkeys(("copy_", "fill_"), in_place(full_copy)),
    "zero_": in_place(lambda r, a, out: full_copy(r, {"src": 0.0}, out)),
}
