"""Traced values match activations, weights and formulas."""

import inspect
import sys
from collections.abc import Mapping
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from charrnn import cells
from charrnn.minigpt import equations
from charrnn.registry import build_model
from charrnn.tracing import Block, layers_of, read_character, trace_calls
from tests.small_models import SMALL

V = 13
IDS = [3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9, 3, 2, 3, 8, 4]  # longer than MiniGPT's context
RECURRENT = {
    "rnn": {"cell": "rnn", "hidden_dim": 6},
    "rnn, layer norm": {"cell": "rnn", "hidden_dim": 6, "layer_norm": True},
    "gru": {"cell": "gru", "hidden_dim": 7},
    "lstm": {"cell": "lstm", "hidden_dim": 5},
    "lstm, layer norm": {"cell": "lstm", "hidden_dim": 8, "layer_norm": True},
}


def random_network(config):
    rng = torch.Generator().manual_seed(2)
    network = build_model(config, V)
    for parameter in network.parameters():
        parameter.data.copy_(0.6 * torch.randn(parameter.shape, generator=rng))
    return network


def read(config, layer=1) -> tuple[list[Block], dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Blocks for the last of IDS, weights in float64, heatmap activations."""
    network = random_network(config)
    decoder = network.decoder()
    blocks, output = read_character(network, IDS[-1], decoder.prefill(IDS[:-1]).state, layer)
    weights = {name: w.detach().double().numpy() for name, w in network.named_parameters()}
    return blocks, weights, {"logits": output.logits, **decoder.read(IDS).end.activations}


def assert_close(found, expected):
    np.testing.assert_allclose(np.asarray(found).ravel(), np.asarray(expected).ravel(), rtol=0, atol=1e-10)


def state_before(config) -> Mapping[str, np.ndarray]:
    return random_network(config).decoder().prefill(IDS[:-1]).activations


def products(w, state) -> tuple[np.ndarray, np.ndarray]:
    """Input and state terms of the last step, from the weights."""
    from_input = w["cell.W_ih.weight"] @ w["embed.weight"][IDS[-1]]
    return from_input, w["cell.W_hh.weight"] @ state["h"] + w["cell.W_hh.bias"]


@pytest.mark.parametrize("name", RECURRENT)
def test_cell_trace_matches_activations_and_weights(name):
    """Compare with a decoder, whose activations `tests/test_clamps.py` checks."""
    (sums, cell, around), w, shown = read(RECURRENT[name])
    state = state_before(RECURRENT[name])
    from_input, from_state = products(w, state)
    assert_close(around.value("self.embed(ids)").array, w["embed.weight"][IDS[-1]])
    assert_close(sums.value("self.W_ih(x)").array, from_input)
    assert_close(sums.value("self.W_hh(state.h)").array, from_state)
    expected = {"from_input": from_input, "from_state": from_state, "state.h": state["h"]}
    for source, value in (expected | ({"state.c": state["c"]} if "c" in state else {})).items():
        assert_close(cell.value(source).array, value)
    assert_close(around.value("self.head(h)").array, shown.pop("logits"))
    for activation, values in shown.items():
        assert_close(cell.value(activation).array, values)


def test_cell_trace_shows_arguments_of_squashing():
    (_, cell, _), w, shown = read(RECURRENT["gru"])
    x_n, h_n = (np.split(each, 3)[2] for each in products(w, state_before(RECURRENT["gru"])))
    assert_close(cell.value("x_n").array, x_n)
    assert_close(cell.value("x_n + r * h_n").array, x_n + shown["r"] * h_n)
    (_, cell, _), w, shown = read(RECURRENT["lstm, layer norm"])
    c = shown["c"]
    normed = (c - c.mean()) / np.sqrt(c.var() + 1e-5) * w["cell.norm.c.weight"] + w["cell.norm.c.bias"]
    assert_close(cell.value('norm["c"](c)').array, normed)
    assert_close(cell.value('tanh(norm["c"](c))').array, np.tanh(normed))


@pytest.mark.parametrize("layer", [1, 2, 6])
def test_block_trace_matches_formula(layer):
    """The whole text at once in float64, with a mask and torch's attention."""
    config = SMALL["minigpt"]
    (step, block, head), w, shown = read(config, layer)
    assert (layers_of(random_network(config)), layers_of(random_network(RECURRENT["gru"]))) == (6, 1)
    d, heads, context = config["hidden_dim"], config["heads"], config["context"]
    weights = {name: torch.from_numpy(value) for name, value in w.items()}
    x = weights["embed.weight"][IDS]
    assert_close(step.value("positions").array, len(IDS) - 1)
    T, half = len(IDS), d // heads // 2
    angle = torch.arange(T, dtype=torch.float64)[:, None] * 10_000.0 ** (-torch.arange(half).double() / half)

    def rms(x, weight):
        return x / (x.square().mean(-1, keepdim=True).sqrt() + 1e-6) * weight

    def rotate(x):
        a, b = x[..., 0::2], x[..., 1::2]
        return torch.stack([a * angle.cos() - b * angle.sin(), a * angle.sin() + b * angle.cos()], -1).flatten(-2)

    seen = torch.ones(T, T, dtype=torch.bool).tril().triu(1 - context)
    found = {}
    for number in range(layer):
        of = {name.removeprefix(f"blocks.{number}."): value for name, value in weights.items()}
        normed = rms(x, of["attention_norm.weight"])
        packed = normed @ of["qkv.weight"].T
        q, k, v = (part.reshape(T, heads, d // heads).transpose(0, 1) for part in packed.split(d, dim=-1))
        attended = F.scaled_dot_product_attention(rotate(q), rotate(k), v, attn_mask=seen).transpose(0, 1).reshape(T, d)
        added = attended @ of["attention_out.weight"].T
        found = {"x, given": x, "block.attention_norm(x)": normed, "block.qkv(block.attention_norm(x))": packed}
        found |= {"q": q[:, -1:], "k": rotate(k)[:, -1:], "v": v[:, -1:], "attended": attended}
        found |= {"block.attention_out(attended)": added, "x": x + added}
        x = x + added
        inner = rms(x, of["mlp_norm.weight"]) @ of["mlp_in.weight"].T
        found |= {"block.mlp_in(block.mlp_norm(x))": inner, "gelu(block.mlp_in(block.mlp_norm(x)))": F.gelu(inner)}
        x = x + F.gelu(inner) @ of["mlp_out.weight"].T
        found["returned"] = x
    for source, value in found.items():
        traced = block.lines[0].values[0] if source == "x, given" else block.value(source)
        assert_close(traced.array, value if value.dim() == 3 else value[-1])
    assert block.value("k").shape == (1, heads, min(T, context), d // heads)
    assert_close(block.value("returned").array, shown[f"layer {layer}"])
    assert_close(head.value("self.head(self.norm(streams[-1]))").array, shown["logits"])


def test_trace_lines_match_source_file():
    (_, cell, _), _, _ = read(RECURRENT["lstm"])
    file = Path(cells.__file__).read_text(encoding="utf-8").splitlines()
    assert cell.file == "charrnn/cells.py" and cell.name == "LSTMCell.update"
    for line in cell.lines:
        for i, text in enumerate(line.source.splitlines()):
            assert file[line.number - 1 + i] == "    " + text
    written, first = inspect.getsourcelines(cells.LSTMCell.update)
    assert [line.number for line in cell.lines] == list(range(first, first + len(written)))


def twice(x):
    return 2 * x


def with_a_loop(x, rounds):
    total = x
    for _ in range(rounds):
        total = total + twice(total + 1)
        x[0] = -1  # traced values are copies
    if rounds > 5:
        total = -total
    return total


def test_trace_of_loop_shows_last_round():
    x = np.array([1.0, 2.0])
    with trace_calls(with_a_loop) as runs:
        result = with_a_loop(x, 2)
    (run,) = runs
    sources = [line.source.strip() for line in run.lines]
    assert sources[0].startswith("def with_a_loop") and sources[-1] == "return total"
    by_source = {line.source.strip(): {v.source: v.array.tolist() for v in line.values} for line in run.lines}
    assert by_source["def with_a_loop(x, rounds):"] == {"x": [1.0, 2.0]}
    first_round = np.array([5.0, 8.0])
    assert by_source["total = x"] == {"total": [1.0, 2.0]}
    assert by_source["total = total + twice(total + 1)"] == {
        "total + 1": (first_round + 1).tolist(),
        "twice(total + 1)": (2 * (first_round + 1)).tolist(),
        "total": (3 * first_round + 2).tolist(),
    }
    assert by_source["total = -total"] == {}
    assert by_source["return total"] == {"returned": result.tolist()}


def test_tracing_ends_after_error():
    before = sys.gettrace()
    with pytest.raises(TypeError), trace_calls(equations.gelu) as runs:
        equations.gelu("no tensor")  # pyright: ignore[reportArgumentType]
    assert sys.gettrace() is before
    equations.gelu(torch.zeros(2))
    assert len(runs) == 1


def test_tracing_ignores_other_threads():
    with trace_calls(twice) as runs:
        thread = Thread(target=twice, args=[np.zeros(1)])
        thread.start()
        thread.join()
    assert runs == []
