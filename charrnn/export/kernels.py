"""The operations of a graph in numpy, each as a function of arrays."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
import torch

Kernel = Callable[..., Any]


def sigmoid(x: Any) -> Any:
    """Return 1 / (1 + exp(-x)) without overflow."""
    return 0.5 + 0.5 * np.tanh(0.5 * x)


def erf(x: Any) -> Any:
    """Return the error function; numpy has none."""
    return torch.erf(torch.from_numpy(np.asarray(x))).numpy()


def gelu(x: Any, approximate: str = "none") -> Any:
    """Return x Φ(x), or its approximation by tanh. Hendrycks & Gimpel 2016."""
    if approximate == "tanh":
        return x * (0.5 + 0.5 * np.tanh((2 / np.pi) ** 0.5 * (x + 0.044715 * x * x * x)))
    return x * (0.5 + 0.5 * erf(x * 0.5**0.5))


def softplus(x: Any, beta: float = 1, threshold: float = 20) -> Any:
    """Return ln(1 + exp(beta x)) / beta; x itself where beta x > threshold, as torch."""
    return np.where(x * beta > threshold, x, np.log1p(np.exp(np.minimum(x * beta, threshold))) / beta)


def elu(x: Any, alpha: float = 1, scale: float = 1) -> Any:
    return scale * np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


def linear(x: Any, W: Any, b: Any = None) -> Any:
    """Return W x + b, of x (K,) or of each row of x (T, K)."""
    product = W.dot(x) if x.ndim == 1 else x @ W.swapaxes(-1, -2)
    return product if b is None else product + b


def layer_norm(x: Any, weight: Any = None, bias: Any = None, *, eps: float) -> Any:
    """Return the layer norm over the last dimension. Ba et al. 2016."""
    if x.ndim == 1:
        centered = x - x.mean()
        scaled = centered * (centered.dot(centered) / len(x) + eps) ** -0.5
    else:
        centered = x - x.mean(axis=-1, keepdims=True)
        scaled = centered * (np.square(centered).mean(axis=-1, keepdims=True) + eps) ** -0.5
    scaled = scaled if weight is None else scaled * weight
    return scaled if bias is None else scaled + bias


def rms_norm(x: Any, weight: Any = None, *, eps: float) -> Any:
    """Return the RMS norm over the last dimension. Zhang & Sennrich 2019."""
    scaled = x * (np.square(x).mean(axis=-1, keepdims=True) + eps) ** -0.5
    return scaled if weight is None else scaled * weight


def norm(x: Any, dims: list[int], keep: bool, order: float) -> Any:
    """Return the vector norm over `dims`; the Euclidean norm has fast paths."""
    if order == 2 and x.ndim == 1:
        return x.dot(x) ** 0.5
    if order == 2 and dims == [-1]:
        length = np.sqrt(np.vecdot(x, x))
        return length[..., None] if keep else length
    return (np.abs(x) ** order).sum(axis=_axes(x, dims), keepdims=keep) ** (1 / order)


def attention(q: Any, k: Any, v: Any, scale: float) -> Any:
    """Return softmax(q kᵀ · scale) v for one query per head. Vaswani et al. 2017."""
    scores = np.matmul(q.reshape(*k.shape[:-2], 1, k.shape[-1]), k.swapaxes(-1, -2)) * scale
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return (np.matmul(weights, v) / weights.sum(axis=-1, keepdims=True)).reshape(*q.shape[:-1], v.shape[-1])


def complex_mul(x: Any, y: Any) -> Any:
    """Return the product of complex numbers, (..., 2) each."""
    x, y = np.ascontiguousarray(x), np.ascontiguousarray(y)
    return (x.view(np.complex128) * y.view(np.complex128)).view(np.float64)


def polar(length: Any, angle: Any) -> Any:
    """Return complex numbers (..., 2) from length and angle (...)."""
    return (length * np.exp(1j * angle))[..., None].view(np.float64)


def softmax(x: Any, dim: int) -> Any:
    powers = np.exp(x - x.max(axis=dim, keepdims=True))
    return powers / powers.sum(axis=dim, keepdims=True)


def topk_indices(x: Any, k: int, dim: int) -> Any:
    """Return the indices of the k largest numbers, in descending order."""
    return np.take((-x).argsort(axis=dim, kind="stable"), np.arange(k), axis=dim)


def logsumexp(x: Any, axis: Any, keepdims: bool) -> Any:
    top = x.max(axis=axis, keepdims=True)
    return np.log(np.exp(x - top).sum(axis=axis, keepdims=keepdims)) + (top if keepdims else top.squeeze(axis))


def put(x: Any, values: Any, at: list[int]) -> Any:
    """Return a copy of x with values at flat positions."""
    changed = x.copy()
    changed.flat[at] = np.asarray(values).ravel()
    return changed


def permute(x: Any, dims: list[int]) -> Any:
    return padded(x, len(dims)).transpose([dim + len(dims) for dim in dims])


def slicer(dim: int, start: int, step: int, end: int | None = None) -> Kernel:
    """Return x -> x[..., start:end:step, ...], with indices built once."""
    index = (..., slice(start, end, step), *[slice(None)] * (-dim - 1))
    return lambda x: (x if x.ndim >= -dim else padded(x, -dim))[index]


def select(x: Any, dim: int, index: int) -> Any:
    return x[..., index, *[slice(None)] * (-dim - 1)]


def cat(*parts: Any, dim: int) -> Any:
    rank = max(-dim, *(part.ndim for part in parts))
    return np.concatenate([padded(part, rank) for part in parts], axis=dim)


def stack(*parts: Any, dim: int) -> Any:
    return np.stack([padded(part, -dim - 1) for part in parts], axis=dim)


def lookup(table: Any, indices: Any) -> Any:
    return table[np.asarray(indices, dtype=np.int64)]


def padded(x: Any, rank: int) -> Any:
    """Return x with ones in front of its shape, up to this rank."""
    return x.reshape((1,) * (rank - x.ndim) + x.shape) if x.ndim < rank else x


def _axes(x: Any, dims: list[int]) -> tuple[int, ...]:
    return tuple(dim for dim in dims if -dim <= x.ndim)  # dimensions of size 1 at the front were dropped


def _reduced(function: Callable[..., Any]) -> Kernel:
    return lambda x, dims, keep=False: function(x, axis=_axes(x, dims), keepdims=keep)


def _index_of(function: Callable[..., Any]) -> Kernel:
    def find(x: Any, dims: list[int], keep: bool = False) -> Any:
        along = dims[0] if len(dims) == 1 else None
        return np.asarray(function(x, axis=along, keepdims=keep), dtype=np.float64)

    return find


def _truth(function: Callable[..., Any]) -> Kernel:
    return lambda *values: np.asarray(function(*values), dtype=np.float64)


def _moment(function: Callable[..., Any]) -> Kernel:
    return lambda x, dims, keep=False, correction=1: function(x, axis=_axes(x, dims), keepdims=keep, ddof=correction)


KERNELS: Mapping[str, Kernel] = {
    **{name: getattr(np, name) for name in ("exp", "exp2", "expm1", "log", "log1p", "log2", "sqrt", "square", "sign")},
    **{name: getattr(np, name) for name in ("sin", "cos", "tanh", "floor", "ceil", "trunc", "reciprocal")},
    **{name: getattr(np, name) for name in ("maximum", "minimum")},
    "neg": np.negative,
    "abs": np.abs,
    "round": np.round,
    "rsqrt": lambda x: 1 / np.sqrt(x),
    "sigmoid": sigmoid,
    "relu": lambda x: np.maximum(x, 0),
    "silu": lambda x: x * sigmoid(x),
    "erf": erf,
    "gelu": gelu,
    "softplus": softplus,
    "elu": elu,
    "leaky_relu": lambda x, slope: np.where(x > 0, x, slope * x),
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.divide,
    "pow": np.power,
    **{op: _truth(getattr(np, f"{name}")) for op, name in (("gt", "greater"), ("ge", "greater_equal"), ("lt", "less"))},
    **{op: _truth(getattr(np, f"{name}")) for op, name in (("le", "less_equal"), ("eq", "equal"), ("ne", "not_equal"))},
    **{op: _truth(getattr(np, op)) for op in ("logical_not", "logical_and", "logical_or")},
    "where": lambda condition, x, y: np.where(np.asarray(condition) != 0, x, y),
    "sum": _reduced(np.sum),
    "mean": _reduced(np.mean),
    "prod": _reduced(np.prod),
    "amax": _reduced(np.max),
    "amin": _reduced(np.min),
    "logsumexp": _reduced(logsumexp),
    "argmax": _index_of(np.argmax),
    "argmin": _index_of(np.argmin),
    "var": _moment(np.var),
    "std": _moment(np.std),
    "norm": norm,
    "softmax": softmax,
    "log_softmax": lambda x, dim: x - logsumexp(x, dim, True),
    "cumsum": lambda x, dim: np.cumsum(x, axis=dim),
    "topk_indices": topk_indices,
    "topk": lambda x, k, dim: np.take_along_axis(x, topk_indices(x, k, dim), dim),
    "gather": lambda x, index, dim: np.take_along_axis(x, np.asarray(index, dtype=np.int64), dim),
    "roll": lambda x, shift, dim: np.roll(x, shift, axis=dim),
    "layer_norm": layer_norm,
    "rms_norm": rms_norm,
    "linear": linear,
    "matmul": np.matmul,
    "attention": attention,
    "complex_mul": complex_mul,
    "polar": polar,
    "lookup": lookup,
    "permute": permute,
    "select": select,
    "cat": cat,
    "stack": stack,
    "put": put,
}
SHAPED = {"reshape": np.ndarray.reshape, "expand": np.broadcast_to}  # these also need the node's shape


def kernel_of(op: str, params: Mapping[str, Any]) -> Kernel:
    """Return the kernel of a node whose parameters do not depend on the length."""
    if op == "slice":
        return slicer(**params)
    return partial(KERNELS[op], **params) if params else KERNELS[op]
