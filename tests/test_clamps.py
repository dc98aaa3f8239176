"""Clamped decoders equal a plain loop in float64."""

import copy
import math
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from charrnn.clamps import Clamp, ClampSet, limits
from charrnn.registry import build_model
from charrnn.sampling import SamplingSettings, UniformStream, distribution, generate
from tests.random_weights import randomize

V, H, T = 9, 6, 40
FORMS: dict[str, dict[str, Any]] = {
    f"{cell}{' with layer norm' if norm else ''}": {"cell": cell, "hidden_dim": H, "layer_norm": norm}
    for cell in ("rnn", "gru", "lstm")
    for norm in (False, True)
}
FORMS["minigpt"] = {"cell": "minigpt", "hidden_dim": 8, "layers": 3, "heads": 2, "context": 8}
PARTS = {"rnn": "h", "gru": "hrzn", "lstm": "hcifgo"}
CASES = [(form, name) for form in FORMS for name in PARTS.get(FORMS[form]["cell"], ("embedding", "layer 2", "layer 3"))]
IDS = np.random.default_rng(5).integers(0, V, T).tolist()


@cache
def network(form: str) -> Any:
    """A network in float64 with random weights."""
    return randomize(build_model(FORMS[form], V).double(), 0.7, 3).requires_grad_(False)


def sigma(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def plain_loop(model: Any, ids: list[int], clamped: dict[str, tuple[list[int], float]]) -> tuple[np.ndarray, dict]:
    """Read by explicit equations with clamps; return logits (T, V) and activations."""
    weights = {name: weight.numpy() for name, weight in model.state_dict().items()}
    cell = model.config["cell"]

    def norm(name: str, x: np.ndarray) -> np.ndarray:
        if not model.config["layer_norm"]:
            return x
        x = (x - x.mean()) / np.sqrt(x.var() + 1e-5)
        return x * weights[f"cell.norm.{name}.weight"] + weights[f"cell.norm.{name}.bias"]

    def clamp(name: str, x: np.ndarray) -> np.ndarray:
        if name in clamped:
            x = x.copy()
            x[clamped[name][0]] = clamped[name][1]
        return x

    h, c, logits, seen = np.zeros(H), np.zeros(H), [], {name: [] for name in PARTS[cell]}
    for id in ids:
        from_x = weights["cell.W_ih.weight"] @ weights["embed.weight"][id]
        from_h = weights["cell.W_hh.weight"] @ h + weights["cell.W_hh.bias"]
        now: dict[str, np.ndarray] = {}
        if cell == "rnn":
            h = np.tanh(norm("h", from_x + from_h))
        elif cell == "gru":
            r = now["r"] = clamp("r", sigma(norm("r", (from_x + from_h)[:H])))
            z = now["z"] = clamp("z", sigma(norm("z", (from_x + from_h)[H : 2 * H])))
            n = now["n"] = clamp("n", np.tanh(norm("n", from_x[2 * H :] + r * from_h[2 * H :])))
            h = (1 - z) * n + z * h
        else:
            for k, (gate, squash) in enumerate({"i": sigma, "f": sigma, "g": np.tanh, "o": sigma}.items()):
                now[gate] = clamp(gate, squash(norm(gate, (from_x + from_h)[k * H : (k + 1) * H])))
            c = now["c"] = clamp("c", now["f"] * c + now["i"] * now["g"])
            h = now["o"] * np.tanh(norm("c", c))
        h = now["h"] = clamp("h", h)
        logits.append(weights["head.weight"] @ h + weights["head.bias"])
        for name, value in now.items():
            seen[name].append(value)
    return np.stack(logits), {name: np.stack(values) for name, values in seen.items()}


def some_value(name: str) -> float:
    return 0.3 if name in "ifrzo" else -0.4


@pytest.mark.parametrize(("form", "name"), [case for case in CASES if case[0] != "minigpt"])
@pytest.mark.parametrize("units", [[2], [0, 4], list(range(H))])
def test_clamped_decoder_matches_plain_loop(form: str, name: str, units: list[int]):
    model = network(form)
    low, high = limits(name)
    for value in {some_value(name), *([low, high] if high <= 1 else [])}:
        clamps = [Clamp(name, None, value)] if len(units) == H else [Clamp(name, unit, value) for unit in units]
        decoder = model.decoder().clamped(clamps)
        trace = decoder.read(IDS)
        logits, seen = plain_loop(model, IDS, {name: (units, value)})
        np.testing.assert_allclose(trace.logits, logits, rtol=0, atol=1e-12)
        for part, expected in seen.items():
            np.testing.assert_allclose(trace.activations[part], expected, rtol=0, atol=1e-12)
        np.testing.assert_allclose(trace.activations[name][:, units], value, rtol=0, atol=1e-15)
        np.testing.assert_allclose(decoder.prefill(IDS).logits, logits[-1], rtol=0, atol=1e-12)


def test_clamps_combine_and_last_one_counts():
    clamps = [Clamp("f", 1, 0.0), Clamp("c", 3, 2.5), Clamp("h", None, 0.9), Clamp("h", 0, -0.5), Clamp("f", 1, 1.0)]
    model = network("lstm with layer norm")
    trace = model.decoder().clamped(clamps).read(IDS)
    gates = {"f": ([1], 1.0), "c": ([3], 2.5)}
    _, seen = plain_loop(model, IDS[:1], gates)
    np.testing.assert_allclose(trace.activations["c"][0], seen["c"][0], rtol=0, atol=1e-12)
    assert trace.activations["h"][:, 0].tolist() == [-0.5] * T
    assert trace.activations["h"][:, 1:].ravel().tolist() == [0.9] * T * (H - 1)
    assert (trace.activations["f"][:, 1] == 1).all() and (trace.activations["c"][:, 3] == 2.5).all()


@pytest.mark.parametrize("name", ["embedding", "layer 1", "layer 2", "layer 3"])
def test_residual_stream_clamp_precedes_next_block(name: str):
    """Apply one block after the other to a text within the context."""
    model, ids = network("minigpt"), IDS[:8]
    trace = model.decoder().clamped([Clamp(name, 5, 1.5)]).read(ids)
    streams: list[torch.Tensor] = []

    clamped_layer = 0 if name == "embedding" else int(name[-1])
    x, one_block = model.embed(torch.tensor([ids])), copy.deepcopy(model)
    for layer in range(4):
        if layer:
            one_block.blocks = model.blocks[layer - 1 : layer]
            x = one_block.streams_from_embedded(x)[0][-1].clone()
        if layer == clamped_layer:
            x[..., 5] = 1.5
        streams.append(x)
    expected = model.head(model.norm(x))[0].numpy()
    np.testing.assert_allclose(trace.logits, expected, rtol=0, atol=1e-12)
    for layer, stream in enumerate(streams):
        shown = trace.activations[f"layer {layer}" if layer else "embedding"]
        np.testing.assert_allclose(shown, stream[0].numpy(), rtol=0, atol=1e-12)


@pytest.mark.parametrize("clamped", [False, True])
@pytest.mark.parametrize("form", FORMS)
def test_read_pieces_and_steps_agree(form: str, clamped: bool):
    """The text exceeds the context of the Transformer; final states agree too."""
    name = "layer 2" if form == "minigpt" else "h"
    decoder = network(form).decoder().clamped([Clamp(name, 1, 0.25)] if clamped else [])
    trace, output = decoder.read(IDS), decoder.prefill([])
    first = decoder.read(IDS[:23])
    pieces = [first, decoder.read(IDS[23:], first.end.state)]

    def same(found, expected):
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-10)

    same(np.concatenate([piece.logits for piece in pieces]), trace.logits)
    for part, rows in trace.activations.items():
        same(np.concatenate([piece.activations[part] for piece in pieces]), rows)
    for t, id in enumerate(IDS):
        output = decoder.step(id, output.state)
        same(trace.logits[t], output.logits)
        for part, rows in output.activations.items():
            same(trace.activations[part][t], rows)
    assert not clamped or (trace.activations[name][:, 1] == 0.25).all()
    for after in (trace.end.state, pieces[1].end.state, decoder.prefill(IDS).state):
        same(decoder.step(3, after).logits, decoder.step(3, output.state).logits)


@pytest.mark.parametrize(("form", "name"), CASES)
def test_clamp_at_own_value_changes_nothing(form: str, name: str):
    """Clamp every unit in turn, for one step; the decoder itself stays unchanged."""
    decoder = network(form).decoder()
    before = decoder.prefill(IDS[:7])
    after = decoder.step(IDS[7], before.state)
    for unit, value in enumerate(after.activations[name].tolist()):
        same = decoder.clamped([Clamp(name, unit, value)]).step(IDS[7], before.state)
        np.testing.assert_allclose(same.logits, after.logits, rtol=0, atol=1e-13)
        other = decoder.clamped([Clamp(name, unit, value / 2)]).step(IDS[7], before.state)
        assert np.abs(other.logits - after.logits).max() > 1e-9
    assert np.array_equal(decoder.step(IDS[7], before.state).logits, after.logits)


@settings(max_examples=60)
@given(st.sampled_from(CASES), st.integers(0, H - 1), st.floats(0, 1), st.integers(0, 2**32 - 1))
def test_clamped_text_differs_from_affected_draw_on(case, unit, value, seed):
    form, name = case
    decoder, settings, n = network(form).decoder(), SamplingSettings(0.7, top_p=0.95), 40
    clamp, output = Clamp(name, unit, value), decoder.prefill(IDS[:5])
    free = list(generate(decoder, output, n, settings, UniformStream(seed)))
    clamped = list(generate(decoder, output, n, settings, UniformStream(seed), clamps=[clamp]))
    assert [step.u for step in clamped] == [step.u for step in free]
    at = next((i for i in range(n) if free[i].id != clamped[i].id), n)
    assert at > 0  # the first draw precedes the clamp
    if at < n:  # both read the same characters up to there; one draw falls on two sides of a CDF edge
        written = IDS[:5] + [step.id for step in free[:at]]
        logits_at = decoder.clamped([clamp]).read(written[5:], output.state).logits[-1]
        drawn = [distribution(logits, settings).draw(free[at].u) for logits in (free[at].logits, logits_at)]
        assert drawn == [free[at].id, clamped[at].id] and drawn[0] != drawn[1]


@pytest.mark.parametrize(
    ("clamp", "words"),
    [
        (Clamp("c", 0, 0.0), "'c' cannot be clamped here: give one of h, r, z, n"),
        (Clamp("h", H, 0.0), "the unit is 6: give 0 to 5, or None for all"),
        (Clamp("h", -1, 0.0), "the unit is -1: give 0 to 5"),
        (Clamp("h", True, 0.0), "the unit is True"),
        (Clamp("z", None, 1.01), "the value of z is 1.01: give 0 to 1"),
        (Clamp("n", 1, -1.5), "the value of n is -1.5: give -1 to 1"),
        (Clamp("h", 1, math.nan), "the value of h is nan: give -1 to 1"),
    ],
)
def test_invalid_clamp_is_refused(clamp: Clamp, words: str):
    decoder = network("gru").decoder()
    with pytest.raises(ValueError, match=words.replace("(", r"\(")):
        decoder.clamped([clamp])
    with pytest.raises(ValueError, match=words):
        next(generate(decoder, decoder.prefill([]), 1, SamplingSettings(), UniformStream(0), clamps=[clamp]))


def test_too_many_clamps_are_refused():
    with pytest.raises(ValueError, match="there are 4097 clamps: give at most 4096"):
        ClampSet([Clamp("h", 0, 0.0)] * 4097, {"h": 1})
    with pytest.raises(ValueError, match="give -1000000 to 1000000"):
        network("lstm").decoder().clamped([Clamp("c", 0, math.inf)])
    assert str(Clamp("z", None, 0.0)) == "z of every unit = 0" and str(Clamp("h", 7, -0.5)) == "h of unit 7 = -0.5"
