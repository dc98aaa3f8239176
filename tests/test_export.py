"""A recorded step equals its torch module, or is refused with its source line."""

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from charrnn.clamps import Clamp
from charrnn.export import GraphDecoder, ModuleDecoder, RecordingError, decoder_of, not_recorded, record, recorded_step
from charrnn.registry import build_model
from tests.random_weights import randomize
from tests.small_models import SMALL

V, H = 7, 6
MINIGPT_CHANGES: list[dict[str, Any]] = [*({"context": n} for n in (2, 3, 4, 7)), {"heads": 1}]


class OneStep(nn.Module):
    """A network with the state h = f(x, h, W) and an output layer."""

    context = None

    def __init__(self, f: Callable[[Tensor, Tensor, Tensor], Tensor]):
        super().__init__()
        self.f, self.embed, self.head = f, nn.Embedding(V, H), nn.Linear(H, V)
        self.W = nn.Parameter(torch.empty(H, H))
        randomize(self, 0.5, 5)

    def initial_output(self) -> tuple[Tensor, Any, dict[str, Tensor]]:
        h = self.W.new_zeros(1, H)
        return self.head(h)[:, None], (h,), {"h": h}

    def forward_with_activations(self, ids: Tensor, state: Any) -> tuple[Tensor, Any, dict[str, Tensor]]:
        h = self.f(self.embed(ids)[:, 0], state[0], self.W)
        return self.head(h)[:, None], (h,), {"h": h}


def step_in_place(x: Tensor, h: Tensor, W: Tensor) -> Tensor:
    total = x + h @ W
    total[:, 2:4] = 0.5
    total[:, 0] *= 2
    return total.tanh_()


def gated_in_place(x: Tensor, h: Tensor, W: Tensor) -> Tensor:
    a, b = torch.cat([x, h], dim=-1).chunk(2, dim=-1)
    a.sigmoid_()
    return a * torch.tanh(b)


def two_heads(x: Tensor, h: Tensor, W: Tensor) -> Tensor:
    q, k = x.view(1, 2, 3), h.view(1, 2, 3)
    weights = torch.softmax(q @ k.transpose(1, 2) / 3**0.5, dim=-1)
    return torch.tanh((weights @ k).reshape(1, 6) + x)


STEPS: dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {
    "linear": lambda x, h, W: torch.tanh(F.linear(h, W) + x),
    "product on the left": lambda x, h, W: torch.tanh(x + (W @ h.T).T),
    "matrix times vector": lambda x, h, W: torch.tanh(x + W.mv(h[0])),
    "einsum": lambda x, h, W: torch.tanh(x + torch.einsum("bi,ij->bj", h, W)),
    "relu": lambda x, h, W: torch.relu(x + 0.1 * h),
    "softplus": lambda x, h, W: F.softplus(x - h, beta=2),
    "gelu by tanh": lambda x, h, W: F.gelu(x + 0.1 * h, approximate="tanh"),
    "gelu": lambda x, h, W: F.gelu(x + 0.1 * h),
    "silu and elu": lambda x, h, W: F.silu(x) + F.elu(0.1 * h, alpha=0.5),
    "leaky relu": lambda x, h, W: F.leaky_relu(x - 0.1 * h, 0.2),
    "hard tanh": lambda x, h, W: F.hardtanh(x + h, -0.5, 0.25),
    "clamp": lambda x, h, W: (x + h).clamp(min=-0.3, max=0.4),
    "clip from below": lambda x, h, W: torch.tanh(x + h.clamp_min(0.1)),
    "where": lambda x, h, W: torch.where(h > x, x, 0.5 * h),
    "mask": lambda x, h, W: torch.tanh(x + h * (h.abs() < 0.5)),
    "masked fill": lambda x, h, W: torch.tanh(x.masked_fill(h <= 0, 0.25)),
    "mean": lambda x, h, W: torch.tanh(x + h.mean(dim=-1, keepdim=True)),
    "max along": lambda x, h, W: torch.tanh(x + h.max(dim=-1, keepdim=True).values),
    "norm": lambda x, h, W: torch.tanh(x + h / (1 + h.norm())),
    "variance": lambda x, h, W: torch.tanh(x + h.var(dim=-1, keepdim=True)),
    "power and logarithm": lambda x, h, W: torch.tanh(x.abs() ** 1.5 + torch.log1p(h.square())),
    "exponential": lambda x, h, W: 1 - torch.exp(-(x - h).square()),
    "reciprocal square root": lambda x, h, W: torch.tanh(x * torch.rsqrt(1 + h * h)),
    "addcmul and lerp": lambda x, h, W: torch.tanh(torch.lerp(torch.addcmul(x, h, x, value=0.5), h, 0.3)),
    "concatenation": lambda x, h, W: torch.tanh(torch.cat([h[:, 3:], x[:, :3]], dim=-1)),
    "stack": lambda x, h, W: torch.tanh(torch.stack([x, h], dim=-1).sum(-1)),
    "roll": lambda x, h, W: torch.tanh(x + h.roll(1, -1)),
    "step of a slice": lambda x, h, W: torch.tanh(x + h[:, ::2].repeat_interleave(1).mean()),
    "softmax": lambda x, h, W: torch.tanh(x + F.log_softmax(h, dim=-1).exp()),
    "top k": lambda x, h, W: torch.tanh(x + h.topk(2, dim=-1).values.sum()),
    "index": lambda x, h, W: torch.tanh(x + W[torch.tensor([2, 0]), :].sum(0)),
    "gather": lambda x, h, W: torch.tanh(x + h.gather(1, torch.tensor([[1, 0, 3, 2, 5, 4]]))),
    "layer norm": lambda x, h, W: torch.tanh(F.layer_norm(x + h, (H,))),
    "rms norm": lambda x, h, W: torch.tanh(F.rms_norm(x + h, (H,), W[0], eps=1e-5)),
    "cumulative sum": lambda x, h, W: torch.tanh(x + h.cumsum(-1)),
    "logical": lambda x, h, W: torch.tanh(x + ((h > 0) & (x > 0)).double()),
    "trigonometry": lambda x, h, W: torch.sin(x) * torch.cos(h),
    "heads": two_heads,
    "in place": step_in_place,
    "gates in place": gated_in_place,
    "two layers": lambda x, h, W: torch.tanh(F.linear(torch.tanh(F.linear(h, W) + x), W)),
}


@pytest.mark.parametrize("name", STEPS)
def test_recorded_step_equals_module(name: str):
    network = OneStep(STEPS[name]).double()
    decoder = decoder_of(network)
    assert isinstance(decoder, GraphDecoder), not_recorded(network)
    output, state = decoder.prefill([]), network.initial_output()[1]
    for id in [3, 0, 6, 6, 1, 2, 5, 4, 3, 0]:
        output = decoder.step(id, output.state)
        with torch.no_grad():
            logits, state, _ = network.forward_with_activations(torch.tensor([[id]]), state)
        np.testing.assert_allclose(output.logits, logits[0, 0], rtol=0, atol=1e-12)
        np.testing.assert_allclose(output.activations["h"], state[0][0], rtol=0, atol=1e-12)


REFUSED: dict[str, tuple[Callable[[Tensor, Tensor, Tensor], Tensor], str]] = {
    "random numbers": (lambda x, h, W: torch.tanh(x + torch.randn_like(h)), "randn_like is random"),
    "active dropout": (lambda x, h, W: F.dropout(torch.tanh(x + h), 0.5, training=True), "is random"),
    "a branch on a value": (lambda x, h, W: x if h.sum() > 0 else torch.tanh(x), "cannot be recorded"),
    "a number": (lambda x, h, W: torch.tanh(x * float(h.sum())), "cannot be recorded"),
    "numpy": (lambda x, h, W: torch.tanh(x + torch.from_numpy(h.numpy())), "numpy() of a tensor cannot be recorded"),
    "an unknown operation": (lambda x, h, W: torch.tanh(x + torch.special.bessel_j0(h)), "special_bessel_j0 cannot"),
    "float32": (lambda x, h, W: torch.tanh(x + h.float()), "_to_copy cannot be recorded to torch.float32"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusal_names_operation_and_line(name: str):
    f, reason = REFUSED[name]
    network = OneStep(f).double()
    with pytest.raises(RecordingError) as refusal:
        record(network)
    assert reason in str(refusal.value)
    assert f"(test_export.py:{f.__code__.co_firstlineno})" in str(refusal.value)


def test_unrecorded_step_runs_in_its_module():
    network = OneStep(lambda x, h, W: torch.tanh(x + torch.special.bessel_j0(h))).double()
    decoder = decoder_of(network)
    assert isinstance(decoder, ModuleDecoder)
    with torch.no_grad():
        expected = network.forward_with_activations(torch.tensor([[3]]), network.initial_output()[1])[0][0, 0]
    np.testing.assert_allclose(decoder.prefill([3]).logits, expected, rtol=0, atol=1e-15)
    with pytest.raises(
        ValueError, match=r"^h cannot be clamped in this network: its step cannot be recorded \(special"
    ):
        decoder.clamped([Clamp("h", 0, 0.0)])


def test_constant_from_outside_is_refused():
    calls = [0.0]

    def counts(x: Tensor, h: Tensor, W: Tensor) -> Tensor:
        calls[0] += 0.1
        return torch.tanh(x + calls[0])

    with pytest.raises(RecordingError, match=r"differs by .* from the module"):
        recorded_step(OneStep(counts).double())


def test_stale_view_is_refused():
    def stale(x: Tensor, h: Tensor, W: Tensor) -> Tensor:
        total = x + h
        left, overlapping = total[:, :4], total[:, 2:]
        left.mul_(2)
        return torch.tanh(torch.cat([overlapping, x[:, :2]], dim=-1))

    with pytest.raises(RecordingError, match="used after a part of it was changed"):
        record(OneStep(stale).double())


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from([*SMALL.values(), *({**SMALL["minigpt"], **more} for more in MINIGPT_CHANGES)]),
    st.lists(st.integers(0, V - 1), min_size=1, max_size=40),
)
def test_decoder_of_any_network_equals_forward(config: dict[str, Any], ids: list[int]):
    network = randomize(build_model(config, V).double(), 0.4, len(ids))
    decoder = network.decoder()
    assert not isinstance(decoder, ModuleDecoder), decoder.reason
    with torch.no_grad():
        logits, _, activations = network.forward_with_activations(torch.tensor([ids]), network.initial_output()[1])
    output = decoder.prefill([])
    for at, id in enumerate(ids):
        output = decoder.step(id, output.state)
        np.testing.assert_allclose(output.logits, logits[0, at], rtol=0, atol=1e-10)
    for name, values in activations.items():
        np.testing.assert_allclose(
            output.activations[name], values.reshape(-1, values.shape[-1])[-1], rtol=0, atol=1e-10
        )


def test_graph_names_lines_states_and_gates():
    network = build_model({"cell": "lstm", "hidden_dim": H}, V)
    graph = recorded_step(network)
    assert [*graph.activations] == ["h", "c", "i", "f", "g", "o"] and [*graph.state] == ["h", "c"]
    gate = graph.nodes[graph.activations["f"]]
    assert gate.op == "sigmoid" and gate.line.startswith("cells.py:") and gate.shape == (H,)
    assert graph.state["c"].output == graph.activations["c"]
    assert recorded_step(copy.deepcopy(network)) is graph, "copies share the graph, which has no weights"
