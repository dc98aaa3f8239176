"""MiniGPT: forward pass, key-value cache and decoder against plain loops."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from charrnn.minigpt import KVCache, MiniGPT, initialise

V, D, LAYERS, HEADS, CONTEXT = 11, 16, 3, 2, 8


def small(dtype: torch.dtype = torch.float64) -> MiniGPT:
    """A model with weights large enough that attention is far from uniform."""
    model = MiniGPT(V, D, LAYERS, HEADS, CONTEXT).to(dtype)
    with torch.no_grad():
        rng = torch.Generator().manual_seed(0)
        for weight in model.parameters():
            weight.copy_(torch.randn(weight.shape, generator=rng) * weight.shape[-1] ** -0.5 + (weight.dim() == 1))
    return model


def text(length: int, rows: int = 2, seed: int = 1) -> Tensor:
    return torch.randint(V, (rows, length), generator=torch.Generator().manual_seed(seed))


def naive_logits(model: MiniGPT, ids: list[int]) -> Tensor:
    """(T, V) by loops over positions, heads and keys."""
    weights = {name: weight.detach() for name, weight in model.named_parameters()}
    d_head = D // HEADS

    def norm(x: Tensor, name: str) -> Tensor:
        rms = math.sqrt(sum(float(entry) ** 2 for entry in x) / D)
        return x / (rms + 1e-6) * weights[name]

    def rotated(x: Tensor, position: int) -> Tensor:
        result = x.clone()
        for pair in range(d_head // 2):
            angle = position / 10000 ** (2 * pair / d_head)
            a, b = x[2 * pair], x[2 * pair + 1]
            result[2 * pair] = a * math.cos(angle) - b * math.sin(angle)
            result[2 * pair + 1] = a * math.sin(angle) + b * math.cos(angle)
        return result

    streams = [weights["embed.weight"][id] for id in ids]
    for layer in range(LAYERS):
        of = f"blocks.{layer}."
        qkv = [weights[of + "qkv.weight"] @ norm(x, of + "attention_norm.weight") for x in streams]
        for t, x in enumerate(list(streams)):
            heads = []
            for head in range(HEADS):
                q, k, v = (slice(part * D + head * d_head, part * D + (head + 1) * d_head) for part in range(3))
                seen = range(max(0, t - CONTEXT + 1), t + 1)
                scores = [float(rotated(qkv[t][q], t) @ rotated(qkv[s][k], s)) / math.sqrt(d_head) for s in seen]
                total = sum(math.exp(score) for score in scores)
                heads.append(sum(math.exp(score) / total * qkv[s][v] for score, s in zip(scores, seen, strict=True)))
            x = x + weights[of + "attention_out.weight"] @ torch.cat(heads)
            inner = weights[of + "mlp_in.weight"] @ norm(x, of + "mlp_norm.weight")
            share = [(1 + math.erf(float(entry) / math.sqrt(2))) / 2 for entry in inner]
            inner = inner * inner.new_tensor(share)
            streams[t] = x + weights[of + "mlp_out.weight"] @ inner
    return torch.stack([weights["head.weight"] @ norm(x, "norm.weight") for x in streams])


def in_pieces(model: MiniGPT, ids: Tensor, lengths: list[int]) -> tuple[Tensor, KVCache | None]:
    pieces, state = [], None
    for piece in ids.split(lengths, dim=1):
        logits, state = model(piece, state)
        pieces.append(logits)
    return torch.cat(pieces, dim=1), state


def distance(a: Tensor, b: Tensor) -> float:
    return float((a - b).detach().abs().max())


def test_minigpt_has_1_2_million_parameters():
    block = 128 * (3 * 128 + 128 + 4 * 128 + 4 * 128) + 2 * 128
    assert sum(weight.numel() for weight in MiniGPT(65).parameters()) == 65 * 128 + 6 * block + 128 + 65 * 128


@pytest.mark.parametrize("length", [1, CONTEXT, 3 * CONTEXT + 2])
def test_minigpt_forward_matches_naive_loop(length):
    model, ids = small(), text(length)
    logits, _ = model(ids)
    for row, of_row in zip(ids.tolist(), logits, strict=True):
        assert distance(of_row, naive_logits(model, row)) < 1e-10


def test_from_embedded_matches_forward():
    model, ids = small(), text(9)
    assert torch.equal(model.from_embedded(model.embed(ids))[0], model(ids)[0])
    assert torch.equal(model.fast_forward(ids)[0], model(ids)[0])


def test_every_weight_gets_a_gradient():
    model, ids = small(), text(2 * CONTEXT)
    model(ids)[0].square().sum().backward()
    for name, weight in model.named_parameters():
        assert weight.grad is not None and weight.grad.abs().sum() > 0, name


@pytest.mark.parametrize(
    ("sizes", "reason"),
    [
        ({"hidden_dim": 10, "heads": 4}, "hidden_dim is 10, heads 4"),
        ({"hidden_dim": 12, "heads": 4}, "3 wide"),
        ({"hidden_dim": 0}, "0 wide"),
        ({"heads": 0}, "heads 0"),
        ({"layers": 0}, "layers is 0"),
        ({"context": 1}, "context is 1"),
    ],
)
def test_incompatible_sizes_are_refused(sizes, reason):
    with pytest.raises(ValueError, match=reason):
        MiniGPT(V, **sizes)


@pytest.mark.parametrize(("dtype", "close"), [(torch.float32, 1e-5), (torch.float64, 1e-10)])
@pytest.mark.parametrize("lengths", [[1] * 30, [3, 4, 23], [20, 1, 9], [8, 8, 14], [7, 9, 14]])
def test_pieces_match_whole_past_context(dtype, close, lengths):
    model, ids = small(dtype=dtype), text(30)
    whole, after_whole = model(ids)
    pieces, after_pieces = in_pieces(model, ids, lengths)
    assert after_pieces is not None
    assert distance(pieces, whole) < close
    assert after_pieces.position == after_whole.position == 30
    for a, b in zip(after_pieces.keys + after_pieces.values, after_whole.keys + after_whole.values, strict=True):
        assert a.shape == (2, HEADS, CONTEXT - 1, D // HEADS)
        assert distance(a, b) < close


def test_kv_cache_is_not_modified():
    model, ids = small(), text(20)
    _, state = model(ids[:, :10])
    before = [tensor.clone() for tensor in state.keys + state.values]
    first = model(ids[:, 10:], state)[0]
    assert all(map(torch.equal, before, state.keys + state.values))
    assert torch.equal(model(ids[:, 10:], state)[0], first)


@pytest.mark.parametrize(("dtype", "close"), [(torch.float32, 1e-5), (torch.float64, 1e-7)])
def test_positions_are_relative(dtype, close):
    model, ids = small(dtype=dtype), text(2 * CONTEXT)
    nothing = (torch.zeros(2, HEADS, 0, D // HEADS, dtype=dtype),) * LAYERS
    shifted, state = model(ids, KVCache(nothing, nothing, 10_000_000))
    assert state.position == 10_000_000 + 2 * CONTEXT
    assert distance(shifted, model(ids)[0]) < close


def test_residual_outputs_start_smaller():
    """Standard errors are below 0.8 %; the bounds are 5 %."""
    model = MiniGPT(65)
    initialise(model, torch.Generator().manual_seed(0))
    for name, weight in model.named_parameters():
        if name.endswith("norm.weight"):
            assert torch.equal(weight, torch.ones(128)), name
        else:
            std = 0.02 / math.sqrt(12) if "_out" in name else 0.02
            assert float(weight.detach().std()) == pytest.approx(std, rel=0.05), name


@pytest.mark.parametrize(("dtype", "close"), [(torch.float32, 1e-5), (torch.float64, 1e-10)])
def test_minigpt_decoder_matches_forward(dtype, close):
    model, ids = small(dtype=dtype), text(40, rows=1)
    logits = model(ids)[0][0].detach().numpy()
    decoder = model.decoder()
    output = decoder.prefill([])
    for t, id in enumerate(ids[0].tolist()):
        output = decoder.step(id, output.state)
        assert np.allclose(output.logits, logits[t], rtol=0, atol=close)
        assert np.allclose(decoder.prefill(ids[0, : t + 1].tolist()).logits, logits[t], rtol=0, atol=close)
    assert output.logits.shape == (V,)


def test_minigpt_decoder_shows_residual_streams():
    model, ids = small(), text(20, rows=1)
    streams, _ = model.streams_from_embedded(model.embed(ids))
    decoder = model.decoder()
    stepped = decoder.step(int(ids[0, -1]), decoder.prefill(ids[0, :-1].tolist()).state)
    for output in (stepped, decoder.prefill(ids[0].tolist())):
        assert list(output.activations) == ["layer 3", "layer 2", "layer 1", "embedding"]
        for array, stream in zip(output.activations.values(), reversed(streams), strict=True):
            assert array.shape == (D,)
            assert np.allclose(array, stream[0, -1].detach(), rtol=0, atol=1e-10)


def test_decoder_state_can_branch():
    """Other continuations of a state change none that came before."""
    decoder, ids = small().decoder(), text(50, rows=1)[0].tolist()
    outputs = [decoder.prefill([])]
    for id in ids:
        outputs.append(decoder.step(id, outputs[-1].state))
    for t, id in enumerate(ids):
        other = decoder.step((id + 1) % V, outputs[t].state)
        decoder.step(3, other.state)
        repeated = decoder.step(id, outputs[t].state)
        assert np.allclose(repeated.logits, outputs[t + 1].logits, rtol=0, atol=1e-12)
        assert not np.allclose(repeated.logits, other.logits, rtol=0, atol=1e-3)


def test_prefill_continues_from_state():
    decoder, ids = small().decoder(), text(30, rows=1)[0].tolist()
    whole = decoder.prefill(ids)
    pieces = decoder.prefill(ids[17:], decoder.prefill(ids[:17]).state)
    assert np.allclose(pieces.logits, whole.logits, rtol=0, atol=1e-12)
    nothing_more = decoder.prefill([], pieces.state)
    assert np.array_equal(nothing_more.logits, pieces.logits)


def test_empty_prefill_is_uniform():
    output = small().decoder().prefill([])
    assert np.array_equal(output.logits, np.zeros(V))
    assert all(np.array_equal(array, np.zeros(D)) for array in output.activations.values())


def test_decoder_states_share_key_buffers():
    """A page saves a decoder state for every character."""
    decoder, buffers = small().decoder(), set()
    output = decoder.prefill([])
    for id in text(10 * CONTEXT, rows=1)[0].tolist():
        output = decoder.step(id, output.state)
        buffers.add(output.state.arrays[0].buffer)
    assert len(buffers) <= 11
