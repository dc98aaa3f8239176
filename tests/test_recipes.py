"""The table of recipes, the schedule, and what no recipe can say."""

import math
from dataclasses import asdict
from pathlib import Path

import pytest

from charrnn import checkpoint
from charrnn.registry import KINDS, build_on_meta
from charrnn.training import RECIPES, Recipe

CHECKPOINTS = Path(__file__).resolve().parents[1] / "checkpoints"


def test_the_rate_warms_up_to_its_peak_and_ends_at_its_final_share():
    recipe = Recipe(steps=100, learning_rate=1.0, warmup_steps=10, final_rate=0.1)
    rates = [recipe.rate(step) for step in range(101)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == rates[10] == 1.0
    assert rates[100] == pytest.approx(0.1)
    assert rates[10:] == sorted(rates[10:], reverse=True)


def test_the_lab_recipe_has_a_constant_rate_and_default_initialisation():
    lab = RECIPES["rnn-lab"]
    assert {lab.rate(step) for step in range(0, 2000, 100)} == {1e-3}
    assert (lab.initialisation, lab.max_grad_norm, lab.seq_len, lab.hidden_dim) == ("default", 5.0, 128, 256)
    assert (lab.stateful, lab.layer_norm, lab.dropout, lab.beta2, lab.steps, lab.batch) == (
        False,
        False,
        0.0,
        0.999,
        2000,
        64,
    )


def test_every_bundled_checkpoint_has_its_recipe():
    assert set(RECIPES) == {
        *("rnn", "rnn-lab", "rnn-layernorm", "rnn-stateful", "rnn-seq256", "rnn-seq512"),
        *("gru", "lstm", "lstm-layernorm", "minigpt", "best"),
    }
    for name, recipe in RECIPES.items():
        assert recipe.config["cell"] in KINDS
        assert sum(weight.numel() for weight in build_on_meta(recipe.config, 65).parameters()) < 2e6, name
        assert recipe.keep_steps == (name in ("rnn", "gru", "lstm", "minigpt"))
    assert [name for name, recipe in RECIPES.items() if recipe.layer_norm] == ["rnn-layernorm", "lstm-layernorm"]
    assert {RECIPES[f"rnn-seq{n}"].seq_len * RECIPES[f"rnn-seq{n}"].batch for n in (256, 512)} == {64 * 128}


@pytest.mark.parametrize(
    "wrong",
    [
        {"steps": -1},
        {"batch": 0},
        {"seq_len": 0},
        {"hidden_dim": 0},
        {"learning_rate": math.nan},
        {"beta2": 1.0},
        {"final_rate": 2.0},
        {"max_grad_norm": -1.0},
        {"initialisation": "zeros"},
        {"cell": "elman"},
        {"dropout": 1.0},
        {"input_dropout": -0.1},
        {"recurrent_dropout": 1.0},
        {"weight_decay": -0.1},
        {"stateful": True, "cell": "minigpt"},
        {"layer_norm": True, "cell": "minigpt"},
        {"initialisation": "orthogonal", "cell": "minigpt"},
        {"input_dropout": 0.1, "cell": "minigpt"},
    ],
    ids=str,
)
def test_a_recipe_that_cannot_work_is_refused_by_name(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Recipe(**wrong)


def test_what_is_for_recurrent_cells_says_so():
    with pytest.raises(ValueError, match="stateful is True: that is for recurrent cells, leave it False"):
        Recipe(cell="minigpt", stateful=True)


def test_a_recipe_is_what_its_json_says():
    for recipe in RECIPES.values():
        assert Recipe(**asdict(recipe)) == recipe


WANTED_NATS = {  # of the validation text in streams
    "rnn": 1.57,
    "rnn-stateful": 1.56,
    "rnn-layernorm": 1.56,
    "gru": 1.50,
    "lstm": 1.505,
    "lstm-layernorm": 1.505,
    "minigpt": 1.465,
    "best": 1.48,
}


def test_what_is_bundled_is_small_whole_and_as_good_as_was_wanted():
    infos, refused = checkpoint.list_checkpoints(CHECKPOINTS)
    assert refused == {} and {info.name for info in infos} >= set(RECIPES)
    assert sum(path.stat().st_size for name in RECIPES for path in (CHECKPOINTS / name).rglob("*")) < 40e6
    for info in infos:
        if info.name in RECIPES:
            recipe = RECIPES[info.name]
            assert asdict(Recipe()) | info.recipe == asdict(recipe) and info.step == recipe.steps, info.name
            assert not recipe.keep_steps or {0, 10, 100, 1000} <= set(info.saved_steps)
            assert info.metrics["val_stream_nats"] <= WANTED_NATS.get(info.name, math.inf), info.name
