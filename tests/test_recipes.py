"""Recipes, the learning-rate schedule, and the bundled checkpoints."""

import math
from dataclasses import asdict

import pytest

from charrnn import checkpoint
from charrnn.paths import CHECKPOINTS
from charrnn.training import RECIPES, Recipe


def test_learning_rate_warms_up_and_decays():
    recipe = Recipe(steps=100, learning_rate=1.0, warmup_steps=10, final_rate=0.1)
    rates = [recipe.rate(step) for step in range(101)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == rates[10] == 1.0
    assert rates[100] == pytest.approx(0.1)
    assert rates[10:] == sorted(rates[10:], reverse=True)


@pytest.mark.parametrize(
    "wrong",
    [
        {"steps": -1},
        {"learning_rate": math.nan},
        {"beta2": 1.0},
        {"initialisation": "zeros"},
        {"cell": "elman"},
        {"dropout": 1.0},
        {"input_dropout": -0.1},
        {"stateful": True, "cell": "minigpt"},
        {"layer_norm": True, "cell": "minigpt"},
        {"initialisation": "orthogonal", "cell": "minigpt"},
        {"input_dropout": 0.1, "cell": "minigpt"},
    ],
    ids=str,
)
def test_invalid_recipe_is_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Recipe(**wrong)


WANTED_NATS = {  # of the validation text in streams
    "rnn": 1.57,
    "rnn-stateful": 1.56,
    "rnn-layernorm": 1.56,
    "gru": 1.50,
    "lstm": 1.505,
    "lstm-layernorm": 1.505,
    "minigpt": 1.465,
    "best": 1.43,
}


def test_bundled_checkpoints_are_small_and_good():
    infos, refused = checkpoint.list_checkpoints(CHECKPOINTS)
    assert refused == {} and {info.name for info in infos} >= set(RECIPES)
    assert sum(path.stat().st_size for name in RECIPES for path in (CHECKPOINTS / name).rglob("*")) < 40e6
    for info in infos:
        if info.name in RECIPES:
            recipe = RECIPES[info.name]
            assert asdict(Recipe()) | info.recipe == asdict(recipe) and info.step == recipe.steps, info.name
            assert not recipe.keep_steps or {0, 10, 100, 1000} <= set(info.saved_steps)
            assert info.metrics["val_stream_nats"] <= WANTED_NATS.get(info.name, math.inf), info.name
