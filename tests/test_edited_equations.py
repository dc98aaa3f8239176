"""
An edit of the equations changes training, analyses and sampling, or is refused.

Each edit changes the source of a copy of the package, which is imported in place of the package.
"""

import importlib
import json
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from charrnn import cells
from charrnn.export import GraphDecoder
from charrnn.registry import build_model
from charrnn.ui.gradients.gradient_norms import curves
from charrnn.ui.server.checkpoint_store import Store
from charrnn.ui.server.prefix_cache import PrefixCache
from charrnn.ui.server.request_parameters import Choice
from charrnn.ui.server.view_query import ViewQuery
from charrnn.ui.under_the_hood.self_checks import SharedChecks, self_check_results
from charrnn.ui.under_the_hood.source_trace import cell_lines
from tests.cli import ROOT
from tests.node import node_json
from tests.small_models import save_all

pytestmark = pytest.mark.slow

TEXT = "".join(chr(97 + (7 * i * i + i // 3) % 11) for i in range(900))
IDS = [(7 * i * i + i // 3) % 11 for i in range(70)]
H = 8

VANILLA = 'h = tanh(self.norm["h"](from_input + from_state))'
CARRIED = "c = f * state.c + i * g"
MIXED = "h = (1 - z) * n + z * state.h"
ZEROS = "HiddenState(self.W_hh.weight.new_zeros(*batch, self.W_hh.in_features))"
LAYER_NORM = "self.layer_norm = layer_norm\n"
ATTENTION = "F.scaled_dot_product_attention(block, keys, values, "


@dataclass(frozen=True)
class Edit:
    """Replacements in one source file, and the network whose equations they change."""

    name: str
    cell: str
    changes: Mapping[str, str]
    file: str = "cells.py"
    layer_norm: bool = False
    more: str = ""  # additional activations, one letter each

    @property
    def clampable(self) -> str:
        return {"rnn": "h", "gru": "hrzn", "lstm": "hcifgo"}[self.cell] + self.more

    @property
    def config(self) -> dict[str, Any]:
        if self.cell == "minigpt":
            return {"cell": "minigpt", "hidden_dim": H, "context": 12}
        return {"cell": self.cell, "hidden_dim": H, "layer_norm": self.layer_norm}


EDITS = [
    Edit("sigmoid for tanh", "rnn", {VANILLA: VANILLA.replace("tanh", "sigmoid")}),
    Edit("relu", "rnn", {VANILLA: "h = torch.relu(from_input + from_state)"}),
    Edit("softplus", "rnn", {VANILLA: "h = nn.functional.softplus(from_input + from_state) - 0.7"}),
    Edit("a mask", "rnn", {VANILLA: f"{VANILLA}\n        h = torch.where(from_input.abs() < 0.2, state.h, h)"}),
    Edit(
        "an einsum and a mean",
        "rnn",
        {
            VANILLA: "mixed = torch.einsum('bi,ji->bj', state.h, self.W_hh.weight) + self.W_hh.bias\n"
            "        h = tanh(from_input + mixed - mixed.mean(dim=-1, keepdim=True))"
        },
    ),
    Edit(
        "a sum in place, over halves put together",
        "rnn",
        {
            VANILLA: "low, high = (from_input + from_state).chunk(2, dim=-1)\n"
            "        h = torch.cat([tanh(low), high.sigmoid()], dim=-1)\n        h += 0.1 * state.h.roll(1, -1)"
        },
    ),
    Edit("a residual connection", "rnn", {VANILLA: f"{VANILLA} + 0.3 * state.h"}),
    Edit("no bias", "rnn", {"hidden_dim, bias=True)": "hidden_dim, bias=False)"}),
    Edit("a wide clamp", "rnn", {"from_input + from_state": "(from_input + from_state).clip(-4, 4)"}),
    Edit(
        "a scaled recurrent term, in forward",
        "gru",
        {"self.W_hh(state.h), state)[0]": "0.5 * self.W_hh(state.h), state)[0]"},
    ),
    Edit(
        "another initial state",
        "rnn",
        {ZEROS: ZEROS.replace("new_zeros(*batch, ", "new_full((*batch, ")[:-2] + "), 0.4))"},
    ),
    Edit(
        "a second layer",
        "rnn",
        {
            LAYER_NORM: f"{LAYER_NORM}        self.second = nn.Linear(hidden_dim, hidden_dim)\n",
            VANILLA: "h = tanh(self.second(tanh(from_input + from_state)))",
        },
    ),
    Edit(
        "another part of the state",
        "rnn",
        {
            "    h: Tensor  # (B, H) hidden state, -1..1": "    h: Any\n    m: Any",
            ZEROS: ZEROS.replace("HiddenState(", "HiddenState(*2 * [")[:-1] + "])",
            VANILLA: "m = 0.9 * state.m + 0.1 * tanh(from_input)\n        h = tanh(from_input + from_state - m)",
            "return HiddenState(h), NoGates()": "return HiddenState(h, m), NoGates()",
        },
        more="m",
    ),
    Edit("layer norm with another eps", "rnn", {"EPS = 1e-5": "EPS = 1e-2"}, layer_norm=True),
    Edit(
        "layer norm with another variance",
        "lstm",
        {'tanh(norm["c"](c))': 'tanh(norm["c"](c) * (1 - 1 / c.shape[-1]) ** 0.5)'},
        layer_norm=True,
    ),
    Edit("coupled gates", "lstm", {'f = sigmoid(norm["f"](f))': "f = 1 - i"}),
    Edit("gates in another order", "lstm", {"i, f, g, o = split": "f, i, g, o = split"}),
    Edit("a bounded cell state", "lstm", {CARRIED: f"{CARRIED}\n        c = c.clip(-0.2, 0.2)"}),
    Edit("a candidate of 0..1", "lstm", {'g = tanh(norm["g"](g))': 'g = sigmoid(norm["g"](g))'}),
    Edit("c shown through a sigmoid", "lstm", {'tanh(norm["c"](c))': "sigmoid(c)"}),
    Edit(
        "another gate",
        "lstm",
        {
            "    o: Tensor  # (B, H), 0..1": "    o: Any\n    p: Any",
            '4, ("i", "f", "g", "o", ': '5, ("i", "f", "g", "o", "p", ',
            "i, f, g, o = split_gates(from_input + from_state, 4)": (
                "i, f, g, o, p = split_gates(from_input + from_state, 5)"
            ),
            'o = sigmoid(norm["o"](o))': 'o, p = sigmoid(norm["o"](o)), sigmoid(norm["p"](p))',
            'h = o * tanh(norm["c"](c))': 'h = o * tanh(norm["c"](c)) + p * state.h',
            "LSTMGates(i, f, g, o)": "LSTMGates(i, f, g, o, p)",
        },
    ),
    Edit(
        "another parameter",
        "gru",
        {
            LAYER_NORM: f"{LAYER_NORM}        self.alpha = nn.Parameter(torch.full((hidden_dim,), 0.5))\n",
            MIXED: "h = (1 - z) * n + z * state.h * self.alpha",
        },
    ),
    Edit("another activation by name", "minigpt", {"return F.gelu(x)": "return F.silu(x)"}, "minigpt/equations.py"),
    Edit("another activation", "minigpt", {"gelu(block.mlp_in": "torch.relu(block.mlp_in"}, "minigpt/equations.py"),
    Edit("another scale of attention", "minigpt", {ATTENTION: f"{ATTENTION}scale=0.1, "}, "minigpt/equations.py"),
    Edit("half of each block", "minigpt", {"x = x + dropout(": "x = 0.5 * x + dropout("}, "minigpt/equations.py"),
    Edit(
        "other logits",
        "minigpt",
        {"return self.head(self.norm(streams[-1])), state": "return 2 * self.head(self.norm(streams[-1])), state"},
        "minigpt/model.py",
    ),
]
recurrent = pytest.mark.parametrize(
    "edit", [edit for edit in EDITS if edit.cell != "minigpt"], ids=lambda edit: edit.name
)
every = pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit.name)

Import = Callable[[str], Any]


def copy_package(root: Path, edit: Edit) -> None:
    """Copy the package below a folder, and edit the copy."""
    shutil.copytree(ROOT / "charrnn", root / "charrnn", ignore=shutil.ignore_patterns("__pycache__", "ui"))
    path = root / "charrnn" / edit.file
    source = path.read_text(encoding="utf-8")
    for old, new in edit.changes.items():
        assert old in source, old
        source = source.replace(old, new)
    path.write_text(source, encoding="utf-8")


def take_modules() -> dict[str, Any]:
    """Remove the package's modules from those imported; return them."""
    return {name: sys.modules.pop(name) for name in [*sys.modules] if name.partition(".")[0] == "charrnn"}


@pytest.fixture(scope="module")
def edited(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Edit], AbstractContextManager[Import]]:
    """Return a context that imports an edited copy, once, in place of the package."""
    copies: dict[str, tuple[Path, dict[str, Any]]] = {}

    @contextmanager
    def in_place(edit: Edit) -> Iterator[Import]:
        if edit.name not in copies:
            copies[edit.name] = tmp_path_factory.mktemp("package"), {}
            copy_package(copies[edit.name][0], edit)
        root, modules = copies[edit.name]
        original = take_modules()
        sys.modules.update(modules)
        sys.path.insert(0, str(root))
        try:
            yield importlib.import_module
        finally:
            sys.path.remove(str(root))
            modules.update(take_modules())
            sys.modules.update(original)

    return in_place


@pytest.fixture
def package(edit: Edit, edited: Any) -> Iterator[Import]:
    with edited(edit) as imported:
        yield imported


def network(package: Import, edit: Edit) -> Any:
    """A network in float64 with random weights."""
    model = package("charrnn.registry").build_model(edit.config, 11).double().eval()
    rng = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(0.6 * torch.randn(parameter.shape, generator=rng, dtype=torch.float64))
    return model


# ------------------------------------------------------------------------------------------------ training


def trained(package: Import, edit: Edit, plain: bool) -> tuple[list[float], list[torch.Tensor]]:
    """Return losses and weights of 30 float64 updates; `plain`: by autograd."""
    Recipe, Training = (getattr(package("charrnn.training"), name) for name in ("Recipe", "Training"))
    config = {"cell": edit.cell, "hidden_dim": H, "layer_norm": edit.layer_norm}
    recipe = Recipe(**config, steps=30, batch=3, seq_len=12, learning_rate=0.02, stateful=edit.cell != "minigpt")
    run = Training(package("charrnn.corpus").Corpus.from_text(TEXT), recipe, seed=1)
    run.model.double()
    if plain:
        run.model.fast_forward = lambda ids, state=None, rng=None: run.model.forward(ids, state)
    losses = []
    for _ in range(recipe.steps):
        run.advance()
        losses.append(run.last_update[0])
    return losses, [weight.detach() for weight in run.model.parameters()]


@cache
def unedited_losses(cell: str, layer_norm: bool) -> list[float]:
    edit = Edit("", cell, {}, layer_norm=layer_norm)
    return trained(importlib.import_module, edit, plain=False)[0]


@every
def test_training_follows_edited_forward(edit: Edit, edited: Any):
    before = unedited_losses(edit.cell, edit.layer_norm)
    with edited(edit) as package:
        losses, weights = trained(package, edit, plain=False)
        expected_losses, expected = trained(package, edit, plain=True)
    assert max(abs(a - b) for a, b in zip(losses, before, strict=True)) > 1e-8, "the edit has no effect"
    np.testing.assert_allclose(losses, expected_losses, rtol=0, atol=1e-9)
    for weight, other in zip(weights, expected, strict=True):
        assert torch.allclose(weight, other, rtol=0, atol=1e-7)


@pytest.mark.parametrize("edit", [edit for edit in EDITS if edit.name == "gates in another order"], ids=["packed"])
def test_forget_gate_starts_open_in_any_gate_order(package: Import, edit: Edit):
    recipes = package("charrnn.training.recipes")
    model = package("charrnn.registry").build_model(edit.config, 11)
    recipes.initialise(model, recipes.RECIPES["lstm"], torch.Generator().manual_seed(0))
    sums = torch.zeros(1, 4 * H)
    _, gates = model.cell.update(sums, model.cell.W_hh(torch.zeros(1, H)), model.cell.initial_state(1))
    assert torch.allclose(gates.f, torch.tensor(1.0).sigmoid()) and torch.equal(gates.i, torch.full((1, H), 0.5))


# ------------------------------------------------------------------------------------------------ analyses


def state_after(model: Any, state: Any, x: torch.Tensor) -> Any:
    """Return the state after reading x (T, E) from `state`."""
    for row in x:
        state = model.cell(row[None], state)
    return state


@recurrent
def test_gradient_matches_autograd_of_edited_cell(edit: Edit, package: Import):
    flow, model, ids, at, lags = package("charrnn.gradient_flow"), network(package, edit), torch.tensor(IDS), 30, 12
    x, start = model.embed(ids[: at + 1]).detach(), model.cell.initial_state(1)
    norms = []
    for lag in range(lags + 1):
        state = state_after(model, start, x[: at + 1 - lag])
        leaves = [part.detach().requires_grad_() for part in state]
        h = state_after(model, type(state)(*leaves), x[at + 1 - lag :]).h
        loss = F.cross_entropy(model.head(h), ids[at + 1 : at + 2])
        gradients = torch.autograd.grad(loss, leaves, allow_unused=True, materialize_grads=True)
        norms.append(torch.cat([*gradients], dim=1).norm())
    found = flow.norms_by_lag(model, ids, torch.tensor([at]), lags)[:, 0]
    assert torch.allclose(found, torch.stack(norms), rtol=1e-9, atol=1e-14)
    slopes = flow.input_saliency(model, ids, torch.tensor([at]), lags)[:, 0]
    leaf = x.clone().requires_grad_()
    logit = model.head(state_after(model, start, leaf).h)[0, ids[at + 1]]
    (d_x,) = torch.autograd.grad(logit, leaf)
    assert torch.allclose(slopes, d_x.norm(dim=1).flip(0)[: lags + 1], rtol=1e-9, atol=1e-14)


@recurrent
def test_step_jacobian_matches_edited_cell(edit: Edit, package: Import):
    flow, step_jacobian = package("charrnn.gradient_flow"), package("charrnn.gradient_flow.step_jacobian")
    model, ids, at = network(package, edit), torch.tensor(IDS), 17
    before = [part.detach() for part in state_after(model, model.cell.initial_state(1), model.embed(ids[:at]))]
    State, x = type(model.cell.initial_state(1)), model.embed(ids[at : at + 1]).detach()

    def step(packed: torch.Tensor) -> torch.Tensor:
        return torch.cat([*model.cell(x, State(*packed[None].split(H, dim=1)))], dim=1)[0]

    point = torch.cat(before, dim=1)[0]
    shifts = torch.eye(len(point), dtype=torch.float64) * 1e-5
    expected = torch.stack([(step(point + shift) - step(point - shift)) / 2e-5 for shift in shifts], dim=1)
    found = flow.step_jacobians(model, ids, torch.tensor([at]))[0]
    assert (found - expected).norm() <= 1e-6 * expected.norm()
    v = torch.randn(1, len(point), generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    with torch.no_grad():
        product = step_jacobian.Steps(model, ids).jvp(v, torch.tensor([at]))
    assert torch.allclose(product[0], found @ v[0], rtol=1e-8, atol=1e-12)
    for spectrum in flow.spectra(model):
        assert not (spectrum.bounds and found.norm(2) > spectrum.norm * (1 + 1e-9))
    exponents = flow.lyapunov_exponents(model, (IDS * 6)[:300], warm_up=16, stretch=32).exponents
    assert np.isfinite(exponents).all()


@pytest.mark.parametrize("edit", [edit for edit in EDITS if edit.cell == "minigpt"], ids=lambda edit: edit.name)
def test_gradient_of_edited_transformer_matches_differences(edit: Edit, package: Import):
    flow, model, ids, at = package("charrnn.gradient_flow"), network(package, edit), torch.tensor(IDS), 20
    slopes = flow.input_saliency(model, ids, torch.tensor([at]), 3)[:, 0]
    window, differences = ids[None, at - model.context + 1 : at + 1], []
    with torch.no_grad():
        twin = torch.nn.Embedding(11 + 1, H).double()
        twin.weight[:11] = model.embed.weight
        model.embed, window = twin, window.clone()
        window[0, -3] = 11
        for axis in range(H):
            ends = []
            for sign in (1, -1):
                twin.weight[11] = twin.weight[ids[at - 2]]
                twin.weight[11, axis] += sign * 1e-5
                ends.append(model(window)[0][0, -1, ids[at + 1]])
            differences.append((ends[0] - ends[1]) / 2e-5)
    assert slopes[2].item() == pytest.approx(torch.stack(differences).norm().item(), rel=1e-6)


# ------------------------------------------------------------------------------------------------ sampling


@every
def test_decoder_and_samples_follow_edited_forward(edit: Edit, package: Import):
    model = network(package, edit)
    with torch.no_grad():
        state: Any = None
        whole, expected = model(torch.tensor([IDS]))[0][0], []
        for id in IDS:
            logits, state = model(torch.tensor([[id]]), state)
            expected.append(logits[0, 0])
    assert torch.allclose(torch.stack(expected), whole, rtol=0, atol=1e-10)
    decoder = model.decoder()
    trace, output = decoder.read(IDS), decoder.prefill(IDS[:20])
    np.testing.assert_allclose(trace.logits, whole, rtol=0, atol=1e-10)
    for at in range(20, len(IDS)):
        output = decoder.step(IDS[at], output.state)
        np.testing.assert_allclose(output.logits, whole[at], rtol=0, atol=1e-10)
        assert np.array_equal(decoder.prefill([], output.state).logits, output.logits)
    if edit.cell != "minigpt":
        for name, part in state._asdict().items():
            np.testing.assert_allclose(output.activations[name], part[0], rtol=0, atol=1e-10)
        np.testing.assert_allclose(decoder.prefill([]).logits, model.head(model.cell.initial_state(1).h)[0].detach())
    text = model.sample(torch.tensor([IDS[:5]]), 12, temperature=0)[0].tolist()
    for at in range(5, len(text)):
        assert text[at] == int(model(torch.tensor([text[:at]]))[0][0, -1].argmax())


@every
def test_page_engine_follows_edited_step(edit: Edit, package: Import, tmp_path: Path):
    model, ids = network(package, edit), IDS[:30]
    file = tmp_path / "network.safetensors"
    file.write_bytes(package("charrnn.export.network_file").pack_network(model, model={}, views={}))
    outputs = node_json("run_network.mjs", {"file": str(file), "ids": ids})
    expected = model.decoder().read(ids)
    np.testing.assert_allclose([output["logits"] for output in outputs], expected.logits, rtol=0, atol=1e-10)
    for name, values in expected.activations.items():
        found = [output["activations"][name] for output in outputs]
        np.testing.assert_allclose(found, values, rtol=0, atol=1e-10)


@recurrent
def test_clamp_sets_activation_of_edited_step(edit: Edit, package: Import):
    Clamp = package("charrnn.clamps").Clamp
    decoder = network(package, edit).decoder()
    before = decoder.prefill(IDS[:9]).state
    free = decoder.step(IDS[9], before)
    assert set(edit.clampable) <= set(free.activations)
    for name in edit.clampable:
        for value in (0.0, 0.5, 1.0):
            clamped = decoder.clamped([Clamp(name, 3, value)]).step(IDS[9], before)
            assert clamped.activations[name][3] == pytest.approx(value, abs=1e-12)
        own = float(free.activations[name][3])
        if abs(own) <= 1:
            same = decoder.clamped([Clamp(name, 3, own)]).step(IDS[9], before)
            np.testing.assert_allclose(same.logits, free.logits, rtol=0, atol=1e-10)
    if edit.name == "coupled gates":
        clamped = decoder.clamped([Clamp("i", 3, 0.25)]).step(IDS[9], before)
        assert clamped.activations["f"][3] == pytest.approx(0.75)


@every
def test_trace_shows_edited_lines_and_values(edit: Edit, package: Import):
    model = network(package, edit)
    decoder = model.decoder()
    state = decoder.prefill(IDS[:9]).state
    blocks, output = package("charrnn.tracing").read_character(model, IDS[9], state)
    shown = [line.source for block in blocks for line in block.lines]
    values = [value.array for block in blocks for line in block.lines for value in line.values]
    for wanted in (
        (output.activations["layer 1"],) if edit.cell == "minigpt" else (output.logits, output.activations["h"])
    ):
        assert any(value.size == wanted.size and np.allclose(value.ravel(), wanted) for value in values)
    if edit.cell != "minigpt" and edit.changes.keys() & {VANILLA, CARRIED, MIXED}:
        assert any(new.partition("\n")[0] in source for new in edit.changes.values() for source in shown)


# ------------------------------------------------------------------------------------------------ messages


PARAMETER = next(edit for edit in EDITS if edit.name == "another parameter")
SIGMOID = EDITS[0]


def train(package: Import, folder: Path, *flags: str) -> int:
    """Train shortly in `folder`/own by the script; return the exit code."""
    script, run = package("charrnn.commands.train"), package("charrnn.commands.train_run")
    run.SAMPLE_CHARS = run.PASSAGE_CHARS = 9
    text = folder / "text.txt"
    text.write_text(TEXT, encoding="utf-8")
    small = ["--steps", "4", "--batch", "2", "--seq-len", "8", "--hidden-dim", "8"]
    return script.main(["--data", str(text), *small, "--out", str(folder / "own"), *flags])


@pytest.mark.parametrize("edit", [PARAMETER], ids=["another parameter"])
def test_added_parameter_is_saved_and_required(package: Import, edit: Edit, tmp_path: Path):
    assert train(package, tmp_path, "--cell", "gru") == 0
    checkpoint = package("charrnn.checkpoint")
    own = checkpoint.load(tmp_path / "own")
    assert not torch.equal(own.model.cell.alpha, torch.full((8,), 0.5)), "it was not trained"
    with pytest.raises(checkpoint.CheckpointError, match="lacks cell.alpha"):
        checkpoint.load(ROOT / "checkpoints" / "gru")


@pytest.mark.parametrize("edit", [SIGMOID], ids=["sigmoid for tanh"])
def test_edit_disables_fast_pass_and_stored_analyses(
    package: Import, edit: Edit, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert train(package, tmp_path) == 0
    assert "The hand-written pass (bptt/) is not used" in capsys.readouterr().out
    analyses = package("charrnn.checkpoint").describe(ROOT / "checkpoints" / "rnn").analyses
    assert not analyses.sections and "other equations" in analyses.refused[0]
    with pytest.raises(ValueError, match="its equations were edited"):
        package("charrnn.commands.analyse").analyse(tmp_path / "own", TEXT, ["units"], False, {})


FORMS = [
    *({"cell": cell, "layer_norm": norm} for cell in ("rnn", "gru", "lstm") for norm in (False, True)),
    {"cell": "minigpt"},
]


@pytest.mark.parametrize("form", FORMS, ids=lambda form: "-".join(map(str, form.values())))
def test_unedited_equations_use_fast_paths_silently(form: dict[str, Any]):
    model = build_model(form | {"hidden_dim": 16}, 7)
    state = torch.get_rng_state()
    for mode in (model.train(), model.eval()):
        assert mode.notices() == [] and mode.edited() == ""
        assert isinstance(getattr(mode.decoder(), "_steps", mode.decoder()), GraphDecoder)
    assert torch.equal(torch.get_rng_state(), state), "the global generator was used"


@pytest.mark.parametrize("form", FORMS[:-1], ids=lambda form: "-".join(map(str, form.values())))
def test_forward_and_fast_pass_share_dropout_masks(form: dict[str, Any]):
    shares = {"dropout": 0.3, "input_dropout": 0.2, "recurrent_dropout": 0.4}
    model: Any = build_model(form | {"hidden_dim": 6}, 7, **shares).double()
    ids = torch.tensor(IDS[:60]).view(20, 3) % 7
    outputs = [run(ids, None, torch.Generator().manual_seed(4))[0] for run in (model.forward, model.bptt_forward)]
    assert torch.allclose(*outputs, rtol=0, atol=1e-12) and not torch.allclose(outputs[0], model(ids)[0])


def test_page_reports_slow_path_of_edit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def sigmoid_for_tanh(self: Any, from_input: Any, from_state: Any, state: Any) -> Any:
        return cells.HiddenState(torch.sigmoid(from_input + from_state)), cells.NoGates()

    store = Store(save_all(tmp_path))
    query = ViewQuery(form={"models": ["rnn"], "text": "To be, or not to be. " * 20}, choice=Choice("rnn", None))
    *_, before = map(json.loads, curves(store, query, lambda: True))
    assert "is not used" not in before["words"]
    monkeypatch.setattr(cells.VanillaRNNCell, "update", sigmoid_for_tanh)
    store = Store(tmp_path)
    for answers in (
        curves(store, query, lambda: True),
        self_check_results(store, SharedChecks(), query),
        cell_lines(store, PrefixCache(), query),
    ):
        *_, last = map(json.loads, answers)
        assert "The hand-written pass (bptt/) is not used" in last["words"]
    lines = {
        line["claim"]: line for line in json.loads(next(self_check_results(store, SharedChecks(), query)))["lines"]
    }
    assert lines["Hand-written backprop matches autograd"]["holds"] is False
    assert (
        lines["Gradient matches the measured slope"]["holds"] and lines["Reading in pieces = reading at once"]["holds"]
    )
