"""Initial weights: orthogonal blocks, open forget gates, own generator."""

import math
from typing import Any

import pytest
import torch

from charrnn.registry import build_model
from charrnn.training import Recipe, initialise

CELLS = [(cell, layer_norm) for cell in ("rnn", "gru", "lstm") for layer_norm in (False, True)]
every_cell = pytest.mark.parametrize(("cell", "layer_norm"), CELLS)


def initialised(recipe: Recipe, vocab_size: int = 7) -> Any:
    model = build_model(recipe.config, vocab_size)
    initialise(model, recipe, torch.Generator().manual_seed(1))
    return model


def shifts(model):
    """The bias of each gate, or of its layer norm, by name."""
    names = {"VanillaRNNCell": "h", "GRUCell": "rzn", "LSTMCell": "ifgo"}[type(model.cell).__name__]
    if model.cell.layer_norm:
        assert not model.cell.W_hh.bias.any(), "a bias before a layer norm has no effect"
        return {name: model.cell.norm[name].bias.detach() for name in names}
    return dict(zip(names, model.cell.W_hh.bias.detach().chunk(len(names)), strict=True))


@every_cell
@pytest.mark.parametrize("initialisation", ["orthogonal", "chrono"])
def test_recurrent_blocks_are_orthogonal(cell, layer_norm, initialisation):
    model = initialised(Recipe(cell=cell, layer_norm=layer_norm, hidden_dim=12, initialisation=initialisation))
    blocks = model.cell.W_hh.weight.detach().split(12)
    assert len(blocks) == {"rnn": 1, "gru": 3, "lstm": 4}[cell]
    for block in blocks:
        assert torch.allclose(block @ block.t(), torch.eye(12), atol=1e-5)
    assert not any(torch.allclose(blocks[0], other, atol=0.1) for other in blocks[1:]), "independent blocks"


@every_cell
def test_forget_gate_alone_starts_open(cell, layer_norm):
    model = initialised(Recipe(cell=cell, layer_norm=layer_norm, hidden_dim=12, initialisation="orthogonal"))
    for name, shift in shifts(model).items():
        assert shift.tolist() == [1.0 if name == "f" else 0.0] * 12, name
    if layer_norm:
        assert all(norm.weight.detach().eq(1).all() for norm in model.cell.norm.values())


@pytest.mark.parametrize("layer_norm", [False, True])
@pytest.mark.parametrize(("cell", "forget_gate"), [("lstm", "f"), ("gru", "z")])
def test_chrono_lifetimes_are_uniform(cell, forget_gate, layer_norm):
    """Check lifetimes 1 + n of gates sigmoid(ln n), to 6 standard errors of 256."""
    recipe = Recipe(cell=cell, layer_norm=layer_norm, hidden_dim=256, seq_len=128, initialisation="chrono")
    by_name = shifts(initialised(recipe))
    lifetimes = by_name.pop(forget_gate).exp()
    assert lifetimes.min() > 0.9999 and lifetimes.max() < 127.001
    assert lifetimes.mean().item() == pytest.approx(64, abs=6 * 126 / math.sqrt(12 * 256))
    assert lifetimes.std().item() == pytest.approx(126 / math.sqrt(12), rel=0.2)
    if cell == "lstm":
        assert torch.allclose(by_name.pop("i").exp(), 1 / lifetimes), "the input gate is the complement"
    assert not any(shift.any() for shift in by_name.values())


def test_chrono_without_gates_is_orthogonal():
    orthogonal, chrono = (initialised(Recipe(hidden_dim=6, initialisation=name)) for name in ("orthogonal", "chrono"))
    assert same_weights(orthogonal, chrono)


def same_weights(a, b):
    return all(torch.equal(x, y) for x, y in zip(a.parameters(), b.parameters(), strict=True))


RECIPES = [
    Recipe(cell=cell, hidden_dim=6, layer_norm=True, initialisation=name)
    for cell in ("rnn", "gru", "lstm")
    for name in ("default", "orthogonal", "chrono")
]
RECIPES.append(Recipe(cell="minigpt", hidden_dim=8))


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: f"{recipe.cell}-{recipe.initialisation}")
def test_first_weights_depend_on_generator_only(recipe):
    models = [build_model(recipe.config, 7) for _ in range(3)]
    with torch.no_grad():
        for parameter in models[0].parameters():
            parameter.fill_(0.3)  # previous values have no effect
    global_state = torch.get_rng_state()
    for model, seed in zip(models, (1, 1, 2), strict=True):
        initialise(model, recipe, torch.Generator().manual_seed(seed))
    assert torch.equal(torch.get_rng_state(), global_state)
    assert same_weights(*models[:2])
    assert not same_weights(*models[1:])


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
def test_default_initialisation_matches_torch_nn(cell):
    """Check uniforms in 1/sqrt(H) and normals; false alarms are rarer than 1e-9."""
    model = initialised(Recipe(cell=cell, hidden_dim=256), vocab_size=65)
    for layer in (model.cell.W_ih, model.cell.W_hh, model.head):
        assert layer.weight.abs().max() <= 1 / 16
        assert layer.weight.std().item() == pytest.approx(1 / 16 / math.sqrt(3), rel=0.02)
    assert model.cell.W_hh.bias.abs().max() <= 1 / 16
    assert model.embed.weight.std().item() == pytest.approx(1, rel=0.04)


@pytest.mark.parametrize(
    "recipe", [Recipe(), Recipe(initialisation="orthogonal"), Recipe(cell="minigpt", hidden_dim=128)]
)
def test_untrained_loss_is_log_of_vocabulary(recipe):
    """ln V at the start, as the lab sheet says."""
    ids = torch.randint(65, (8, 64), generator=torch.Generator().manual_seed(1))
    logits, _ = initialised(recipe, vocab_size=65)(ids)
    loss = torch.nn.functional.cross_entropy(logits[:, :-1].flatten(0, 1), ids[:, 1:].flatten())
    assert loss.item() == pytest.approx(math.log(65), abs=0.15)
