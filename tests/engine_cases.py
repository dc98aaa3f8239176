"""Test cases for the page's engine: networks, kernels, functions, draws."""

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional

from charrnn.clamps import Clamp
from charrnn.export import GraphDecoder, exact_copy, graph_decoder, graph_json, recorded_step
from charrnn.export.decoder import array_of
from charrnn.export.kernels import KERNELS, SHAPED, kernel_of
from charrnn.gradient_flow import scale_recurrent
from charrnn.registry import build_model
from charrnn.sampling import SamplingSettings, UniformStream, generate
from tests.random_weights import randomize
from tests.small_models import VOCAB

READ_CHARS = 200
SAMPLE_CHARS = 300
PROMPT = "ROMEO: I 'do"
FACTOR, CHAOTIC_FACTOR = 1.15, 1.6
SETTINGS: list[tuple[int, dict[str, Any]]] = [
    (7, {}),
    (2**32 - 1, {"temperature": 0.5, "top_k": 9}),
    (0, {"temperature": 1.3, "top_p": 0.8, "min_p": 0.02}),
]
GREEDY: tuple[int, dict[str, Any]] = (1, {"temperature": 0})


def write(root: Path) -> None:
    """Write a folder for each network, and tables of kernels, functions and draws."""
    for name, config in NETWORKS.items():
        write_network(root / name, config)
    save(root / "kernels.json", [*kernel_cases()])
    save(root / "functions.json", [*function_cases()])
    save(
        root / "draws.json",
        [[seed, i, UniformStream(seed)[i]] for seed in (0, 7, 2**31, 2**32 - 1) for i in (1500, 0, 1, 623, 312)],
    )


def save(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value), encoding="utf-8")


# ------------------------------------------------------------------------------------------------ networks


def small_network(config: dict[str, Any]) -> Any:
    """A network with random weights, large enough for varied texts."""
    model = config["class"]() if "class" in config else build_model(config, len(VOCAB))
    randomize(model, 0.3, len(type(model).__name__)).embed.weight.data.mul_(4)
    return model


class UnusualRNN(nn.Module):
    """A step unlike the bundled ones: swapped states, tied weights, other operations."""

    context = None

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(len(VOCAB), 10)
        self.cell: Any = nn.Module()
        self.cell.W_hh = nn.Linear(10, 10)
        self.inward = nn.Parameter(torch.empty(10, 10))

    def initial_output(self) -> Any:
        start = torch.linspace(-0.5, 0.5, 10, dtype=self.embed.weight.dtype)[None]
        return functional.linear(start, self.embed.weight)[:, None], (start, -start), {"a": start}

    def forward_with_activations(self, ids: Tensor, state: Any) -> Any:
        a, b = state
        x = self.embed(ids)[:, -1]
        mixed = torch.einsum("bi,ij->bj", torch.roll(x, 2, -1), self.inward * self.inward.norm()) + self.cell.W_hh(a)
        low, high = mixed.chunk(2, dim=-1)
        new = torch.cat([torch.where(low > 0, low.sigmoid(), functional.softplus(low) - 0.5), high.clamp(-1, 0.7)], -1)
        new = new - 0.1 * new.softmax(-1) + x.topk(3)[0].mean()
        logits = functional.linear(new + b, self.embed.weight)
        return logits[:, None], (b, new), {"new": new, "before": a, "x": x, "high": high}


class UnusualAttention(nn.Module):
    """Attention without a fused kernel, so that tensor sizes grow within a step."""

    context = 7

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(len(VOCAB), 6)
        self.keys, self.values = nn.Linear(6, 6, bias=False), nn.Linear(6, 6, bias=False)

    def initial_output(self) -> Any:
        zero = torch.zeros(1, 1, len(VOCAB), dtype=self.embed.weight.dtype)
        return zero, (zero.new_zeros(1, 0, 6), zero.new_zeros(1, 0, 6)), {}

    def forward_with_activations(self, ids: Tensor, state: Any) -> Any:
        keys, values = state
        x = self.embed(ids)[:, -1:]
        keys = torch.cat([keys, self.keys(x)], 1)
        values = torch.cat([values, self.values(x)], 1)
        mixed = x + (x @ keys.transpose(1, 2)).softmax(-1) @ values
        logits = functional.linear(mixed, self.embed.weight)
        return logits, (keys[:, 1 - self.context :], values[:, 1 - self.context :]), {"x": x, "mixed": mixed}


def step_decoder(model: Any) -> tuple[GraphDecoder, dict[str, Any]]:
    """Return the decoder of a network's graph, and the graph as JSON."""
    return graph_decoder(exact_copy(model), recorded_step(model)), graph_json(model)


def clamps_for(decoder: GraphDecoder) -> list[Clamp]:
    """Clamp a unit of the first activation, and all units of the last one."""
    return [Clamp(decoder.names[0], 3, 0.4), Clamp(decoder.names[-1], None, 0.25), Clamp(decoder.names[-1], 1, 0.5)]


def write_network(folder: Path, config: dict[str, Any]) -> None:
    folder.mkdir()
    model = small_network(config)
    decoder, graph = step_decoder(model)
    save(folder / "graph.json", graph)
    save_file(
        {name: value.detach().clone() for name, value in model.named_parameters()}, folder / "weights.safetensors"
    )
    ids = np.random.default_rng(0).integers(0, len(VOCAB), READ_CHARS).tolist()
    clamps = clamps_for(decoder)
    expected: dict[str, Any] = {
        "characters": VOCAB.characters,
        "ids": ids,
        "outputs": outputs(decoder, ids),
        "nodes": [*node_values(decoder, ids[:20])],
        "clamps": [vars(clamp) for clamp in clamps],
        "clamped": outputs(decoder.clamped(clamps), ids[:60]),
        "prompt": PROMPT,
        "texts": [text_of(decoder, *settings) for settings in (*SETTINGS, GREEDY)],
        "clamped_text": text_of(decoder, *SETTINGS[0], clamps=clamps),
        "edited_text": text_of(decoder, *SETTINGS[0], edits={2: "Z", 40: "q"}),
    }
    if hasattr(model, "cell"):
        scaled, _ = step_decoder(scale_recurrent(model, FACTOR))
        expected |= {
            "factor": FACTOR,
            "scaled": outputs(scaled, ids[:60]),
            "scaled_text": text_of(scaled, *SETTINGS[0]),
            "chaotic_factor": CHAOTIC_FACTOR,
            "chaotic_steps": [*single_steps(step_decoder(scale_recurrent(model, CHAOTIC_FACTOR))[0], ids[:60])],
        }
    save(folder / "expected.json", expected)


def outputs(decoder: GraphDecoder, ids: list[int]) -> dict[str, Any]:
    """Return logits and activations at each id."""
    trace = decoder.read(ids)
    return {
        "logits": trace.logits.tolist(),
        "activations": {name: values.tolist() for name, values in trace.activations.items()},
    }


def node_values(decoder: GraphDecoder, ids: list[int]) -> Iterator[dict[int, list[float]]]:
    """Yield the node values at each id, without weights and growing caches."""
    nodes = decoder.graph.nodes
    has_fixed_size = [all(isinstance(size, int) for size in node.shape) for node in nodes]
    shown = [k for k, node in enumerate(nodes) if has_fixed_size[k] and node.op != "weight"]
    state = decoder.prefill([]).state
    for id in ids:
        values = decoder.values(id, state)
        yield {k: np.ravel(values[k]).tolist() for k in shown}
        state = decoder.step(id, state).state


def single_steps(decoder: GraphDecoder, ids: list[int]) -> Iterator[dict[str, Any]]:
    """State and logits before each id, and what the decoder computes from them."""
    output = decoder.prefill([])
    for id in ids:
        before = {"state": [array.tolist() for array in output.state.arrays], "logits": output.logits.tolist()}
        output = decoder.step(id, output.state)
        after = {name: values.tolist() for name, values in output.activations.items()}
        yield {"before": before, "id": id, "logits": output.logits.tolist(), "activations": after}


def text_of(
    decoder: GraphDecoder, seed: int, settings: dict[str, Any], clamps: Any = (), edits: dict[int, str] | None = None
) -> dict[str, Any]:
    """Sample a text after the prompt; return it with its settings."""
    sampling, edits = SamplingSettings(**{"temperature": 0.8, **settings}), edits or {}
    chosen = {i: VOCAB.ids[character] for i, character in edits.items()}
    start = decoder.prefill(VOCAB.encode(PROMPT))
    steps = [*generate(decoder, start, SAMPLE_CHARS, sampling, UniformStream(seed), 0, chosen, clamps)]
    return {
        "settings": {**vars(sampling), "seed": seed, "edits": [*edits.items()]},
        "text": VOCAB.decode(step.id for step in steps),
        "logits": steps[-1].output.logits.tolist(),
    }


NETWORKS: dict[str, dict[str, Any]] = {
    "rnn": {"cell": "rnn", "hidden_dim": 20},
    "rnn-layernorm": {"cell": "rnn", "hidden_dim": 16, "layer_norm": True},
    "gru": {"cell": "gru", "hidden_dim": 23},
    "gru-layernorm": {"cell": "gru", "hidden_dim": 16, "layer_norm": True},
    "lstm": {"cell": "lstm", "hidden_dim": 28},
    "lstm-layernorm": {"cell": "lstm", "hidden_dim": 16, "layer_norm": True},
    "minigpt": {"cell": "minigpt", "hidden_dim": 32, "layers": 2, "heads": 4, "context": 16},
    "minigpt-short": {"cell": "minigpt", "hidden_dim": 8, "layers": 1, "heads": 2, "context": 5},
    "unusual-rnn": {"class": UnusualRNN},
    "unusual-attention": {"class": UnusualAttention},
}


# ------------------------------------------------------------------------------------------------ kernels

UNARY = ("neg", "abs", "exp", "exp2", "expm1", "sign", "sin", "cos", "tanh", "sigmoid", "relu", "silu", "erf")
UNARY += ("floor", "ceil", "round", "trunc", "square", "logical_not")
POSITIVE = ("log", "log1p", "log2", "sqrt", "rsqrt", "reciprocal")
BINARY = ("add", "sub", "mul", "div", "maximum", "minimum", "gt", "ge", "lt", "le", "eq", "ne")
BINARY += ("logical_and", "logical_or")
REDUCTIONS = ("sum", "mean", "prod", "amax", "amin", "logsumexp", "argmax", "argmin", "var", "std")


def kernel_cases() -> Iterator[dict[str, Any]]:
    """Apply each operation to random arrays: op, params, inputs, result."""
    rng = np.random.default_rng(1)

    def drawn(*shape: int) -> np.ndarray:
        return np.round(2 * rng.standard_normal(shape), 3)

    def case(op: str, *inputs: np.ndarray, shape: Any = None, **params: Any) -> dict[str, Any]:
        with np.errstate(all="ignore"):
            result = SHAPED[op](inputs[0], shape) if op in SHAPED else kernel_of(op, params)(*inputs)
        return {
            "op": op,
            "params": params,
            "inputs": [*map(tensor, inputs)],
            "out": tensor(np.asarray(result, dtype=np.float64)),
        }

    vector, matrix, block = drawn(6), drawn(3, 4), drawn(2, 3, 4)
    for op in UNARY:
        yield case(op, np.append(vector, [0.0, 0.5, 1.5, 2.5, -0.5]))
        yield case(op, matrix)
    for op in POSITIVE:
        yield case(op, np.abs(matrix) + 0.1)
    for op in BINARY:
        for x, y in (
            (vector, drawn(6)),
            (vector, np.array(0.5)),
            (np.array(1.5), vector),
            (block, drawn(3, 1)),
            (drawn(3, 1), drawn(4)),
            (vector, vector),
        ):
            yield case(op, x, y)
    yield case("pow", np.abs(matrix) + 0.1, drawn(4))
    yield case("pow", matrix, np.array(3.0))
    yield case("where", (matrix > 0) * 1.0, drawn(4), np.array(7.0))
    yield case("where", (vector > 0) * 1.0, np.array(1.0), drawn(6))
    for op in REDUCTIONS:
        yield case(op, vector, dims=[-1], keep=False)
        yield case(op, block, dims=[-2], keep=True)
        if not op.startswith("arg"):
            yield case(op, block, dims=[-3, -1], keep=False)
        yield case(op, block, dims=[-3, -2, -1], keep=False)
    yield case("var", matrix, dims=[-1], keep=False, correction=0)
    for order, dims in ((2.0, [-1]), (1.0, [-2]), (3.0, [-1])):
        yield case("norm", matrix, dims=dims, keep=True, order=order)
    yield case("norm", vector, dims=[-1], keep=False, order=2.0)
    for op in ("softmax", "log_softmax", "cumsum"):
        for x, dim in ((vector, -1), (block, -2), (block, -3)):
            yield case(op, x, dim=dim)
    for op in ("topk", "topk_indices"):
        yield case(op, np.append(vector, vector), k=4, dim=-1)
        yield case(op, block, k=2, dim=-2)
    yield case("gather", block, np.array([[[2, 0, 1, 1]], [[0, 0, 2, 1]]], dtype=float), dim=-2)
    yield case("roll", vector, shift=2, dim=-1)
    yield case("roll", block, shift=-1, dim=-2)
    for params in ({"approximate": "none"}, {"approximate": "tanh"}):
        yield case("gelu", matrix, **params)
    yield case("softplus", 10 * matrix, beta=1.5, threshold=20.0)
    yield case("leaky_relu", matrix, slope=0.01)
    yield case("elu", matrix, alpha=1.2, scale=1.1)
    for op in ("layer_norm", "rms_norm"):
        yield case(op, vector, eps=1e-5)
        yield case(op, matrix, drawn(4), eps=1e-5)
    yield case("layer_norm", matrix, drawn(4), drawn(4), eps=1e-5)
    yield case("linear", vector, drawn(5, 6))
    yield case("linear", vector, drawn(5, 6), drawn(5))
    yield case("linear", drawn(3, 6), drawn(5, 6), drawn(5))
    for x, y in (
        (drawn(3, 4), drawn(4, 2)),
        (drawn(4), drawn(4, 2)),
        (drawn(3, 4), drawn(4)),
        (drawn(2, 3, 4), drawn(2, 4, 5)),
        (drawn(2, 3, 4), drawn(4, 5)),
    ):
        yield case("matmul", x, y)
    yield case("attention", drawn(2, 1, 4), drawn(2, 5, 4), drawn(2, 5, 4), scale=0.5)
    yield case("attention", drawn(4), drawn(5, 4), drawn(5, 3), scale=0.5)
    yield case("complex_mul", drawn(2, 3, 2), drawn(3, 2))
    yield case("complex_mul", drawn(2), drawn(3, 2))
    yield case("polar", drawn(3), drawn(2, 3))
    yield case("lookup", drawn(5, 3), np.array(2.0))
    yield case("lookup", drawn(5, 3), np.array([4.0, 0.0, 2.0]))
    yield case("lookup", drawn(5), np.array([4.0, 0.0]))
    yield case("permute", block, dims=[-1, -3, -2])
    yield case("permute", vector, dims=[-1, -2])
    yield case("select", block, dim=-2, index=1)
    yield case("cat", vector, drawn(3), dim=-1)
    yield case("cat", block, drawn(2, 1, 4), dim=-2)
    yield case("cat", vector, drawn(2, 6), drawn(6), dim=-2)
    yield case("stack", vector, drawn(6), drawn(6), dim=-1)
    yield case("stack", block, drawn(2, 3, 4), dim=-3)
    yield case("put", matrix, drawn(3), at=[0, 5, 11])
    yield case("reshape", block, shape=(4, 6))
    yield case("expand", drawn(3, 1), shape=(2, 3, 4))
    yield case("slice", vector, dim=-1, start=1, end=5, step=2)
    yield case("slice", block, dim=-2, start=1, step=1)
    yield case("slice", vector, dim=-2, start=0, step=1)


def kernel_names() -> set[str]:
    return {*KERNELS, *SHAPED, "slice"}


def tensor(array: np.ndarray) -> dict[str, Any]:
    array = array_of(np.asarray(array, dtype=np.float64))
    return {"data": [*map(text, array.ravel().tolist())], "shape": [*array.shape]}


def text(value: float) -> str:
    """Format a number as JavaScript reads it."""
    return {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}.get(repr(value), repr(value))


# ------------------------------------------------------------------------------------------------ functions


def function_cases() -> Iterator[list[Any]]:
    """Name, arguments, value by the C library, scale of the error (null: the value)."""
    rng = np.random.default_rng(2)
    extremes = [0.0, 1e-300, -1e-300, 5e-324, 1e-9, -1e-9, 20.0, -20.0, 700.0, -700.0, math.nan, math.inf, -math.inf]
    points = [
        *extremes,
        *np.linspace(-30, 30, 601).tolist(),
        *(rng.standard_normal(1000) * 10.0 ** rng.uniform(-4, 1, 1000)).tolist(),
    ]
    positive = [abs(x) for x in points] + np.exp(rng.uniform(-700, 700, 500)).tolist()
    functions = {"exp": math.exp, "expm1": math.expm1, "exp2": lambda x: 2.0**x, "erf": math.erf, "log1p": math.log1p}
    absolute = {
        "tanh": math.tanh,
        "sin": math.sin,
        "cos": math.cos,
        "sigmoid": lambda x: 0.5 + 0.5 * math.tanh(0.5 * x),
    }
    for name, f in (functions | absolute).items():
        yield from ([name, [text(x)], text(value_of(f, x)), 1 if name in absolute else None] for x in points)
    for name, f in {"log": math.log, "log2": math.log2}.items():
        yield from ([name, [text(x)], text(-math.inf if x == 0 else value_of(f, x)), None] for x in positive)
    bases = [0.0, -0.0, 1.0, -1.0, math.inf, -math.inf, math.nan, -8.0, 0.5, 1e-300]
    powers = [
        (x, y) for x in bases for y in (0.0, 1.0, -1.0, 2.0, 3.0, -3.0, 0.5, -0.5, 2.5, math.inf, -math.inf, math.nan)
    ]
    powers += zip(np.exp(rng.standard_normal(1000)).tolist(), rng.uniform(-40, 40, 1000).tolist(), strict=True)
    for x, y in powers:
        if (x, y) == (-math.inf, 0.5):
            continue  # numpy computes a square root
        with np.errstate(all="ignore"):
            yield ["pow", [text(x), text(y)], text(float(np.power(x, y))), None]


def value_of(f: Any, x: float) -> float:
    """Return f(x), with the IEEE 754 value where Python raises an error."""
    try:
        return f(x)
    except OverflowError:
        return math.inf
    except ValueError:
        return -math.inf if x == -1 and f is math.log1p else math.nan
