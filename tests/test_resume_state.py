"""Invalid run states are refused by --resume before a network is built."""

import resource

import pytest
import torch

from charrnn import checkpoint
from charrnn.commands import train
from charrnn.corpus import Corpus
from charrnn.training import Recipe, Training
from tests.cli import run_main

TEXT = "the quick brown fox jumps over the lazy dog.\n" * 200
RECIPE = Recipe(steps=50, batch=2, seq_len=4, hidden_dim=4, stateful=True)


def run_state():
    training = Training(Corpus.from_text(TEXT), RECIPE)
    training.measure()
    training.advance()
    return training.state()


def recipe(**changes):
    return lambda tensors, run: run["recipe"].update(changes)


def entry(**changes):
    return lambda tensors, run: run.update(changes)


def tensor(name, value):
    return lambda tensors, run: tensors.update({name: value})


CASES = {
    "no step": (lambda t, r: r.pop("step"), "the step must be a whole number"),
    "step that is true": (entry(step=True), "the step must be a whole number"),
    "step below zero": (entry(step=-1), "the step must be a whole number"),
    "step past the end": (entry(step=51), "step 51 of 50"),
    "no recipe": (lambda t, r: r.pop("recipe"), "the recipe must be names with a value each"),
    "recipe of a later version": (recipe(magic=1), "unexpected keyword argument 'magic'"),
    "recipe with a text for a number": (recipe(batch="2"), "batch is '2': it must be of type int"),
    "recipe with a fraction": (recipe(steps=5.5), "steps is 5.5: it must be of type int"),
    "recipe out of range": (recipe(dropout=1.0), "dropout is 1.0: give 0 to 0.99"),
    "recipe of an unknown cell": (recipe(cell="elman"), "cell is 'elman': give one of"),
    "seed of another kind": (entry(seed="1"), "the seed must be a whole number"),
    "no seconds": (entry(seconds=None), "the seconds must be a number"),
    "losses of another kind": (entry(losses=["x"]), "the losses must be a list"),
    "gradient norm below zero": (entry(grad_norm=-1.0), "the grad_norm must be a number"),
    "history of other points": (entry(history=[{"step": 1}]), "{'step': 1} is not a point of a training curve"),
    "history of a wrong kind": (entry(history={}), "the history must be a list"),
    "too many threads": (entry(threads=10**9), "the threads must be a whole number from 1 to 4096"),
    "threads that are a text": (entry(threads="two"), "the threads must be a whole number from 1 to 4096"),
    "no position": (lambda t, r: r.pop("position"), "the position must be names with a value each"),
    "half a position": (entry(position={"offset": 0}), "its position is not in the text"),
    "position of a wrong kind": (entry(position=[0, 0]), "the position must be names with a value each"),
    "position behind the text": (entry(position={"offset": 0, "start": 10**9}), "the start must be a whole number"),
    "position before the text": (entry(position={"offset": -5, "start": 0}), "the offset must be a whole number"),
    "sha256 of a wrong kind": (entry(data_sha256=1), "the data_sha256 must be a text"),
    "another device": (entry(device="cuda"), "the run was on cuda: go on with --device cuda"),
    "no random state": (lambda t, r: t.pop("rng"), "it lacks rng"),
    "random state of zeros": (
        tensor("rng", torch.zeros(5056, dtype=torch.uint8)),
        "this is not the state of a run",
    ),
    "random state of fractions": (tensor("rng", torch.zeros(5056)), "rng is stored as torch.float32"),
    "short random state": (tensor("dropout_rng", torch.zeros(3, dtype=torch.uint8)), "this is not the state of a run"),
    "no weight": (lambda t, r: t.pop("model.head.bias"), "it lacks model.head.bias"),
    "weight of another shape": (tensor("model.head.bias", torch.zeros(1)), r"model.head.bias has the shape [1], not"),
    "weight of whole numbers": (tensor("model.head.bias", torch.zeros(29, dtype=torch.int64)), "stored as torch.int64"),
    "weight of NaN": (lambda t, r: t["model.head.bias"].fill_(float("nan")), "training diverged at step 1"),
    "unexpected tensor": (tensor("else", torch.zeros(1)), "'else' is not part of it"),
    "moments of another shape": (tensor("optimizer.0.exp_avg", torch.zeros(3)), "optimizer.0.exp_avg has the shape"),
    "no moments of a weight": (lambda t, r: t.pop("optimizer.1.exp_avg_sq"), "it lacks optimizer.1.exp_avg_sq"),
    "moments of no weight": (tensor("optimizer.99.step", torch.tensor(1.0)), "'optimizer.99.step' is not part of it"),
    "a saved step in part": (tensor("saved.10.head.bias", torch.zeros(29)), "it lacks saved.10."),
    "a saved step that is no number": (tensor("saved.x.head.bias", torch.zeros(29)), "saved steps that are no numbers"),
    "carried state of another cell": (tensor("carried.c", torch.zeros(2, 4)), "'carried.c' is not part of it"),
    "carried state of another shape": (tensor("carried.h", torch.zeros(1)), "carried.h has the shape [1], not [2, 4]"),
}


@pytest.fixture
def resume(tmp_path, capsys):
    """Return a function that calls `--resume` on a run state."""
    (tmp_path / "text.txt").write_text(TEXT, encoding="utf-8")

    def call(tensors, run):
        checkpoint.save_run(tmp_path / "rnn", tensors, {"threads": 1} | run)
        return run_main(capsys, train.main, "--data", tmp_path / "text.txt", "--out", tmp_path / "rnn", "--resume")

    return call


@pytest.mark.parametrize(("damage", "reason"), CASES.values(), ids=CASES.keys())
def test_damaged_run_is_refused_with_reason(resume, damage, reason):
    tensors, run = run_state()
    damage(tensors, run)
    result = resume(tensors, run)
    assert (result.code, result.out) == (2, "")
    assert reason in result.err and len(result.err.splitlines()) == 1


@pytest.mark.parametrize("bomb", [{"hidden_dim": 4096}, {"cell": "minigpt", "stateful": False, "hidden_dim": 4096}])
def test_run_state_bomb_takes_no_memory(resume, bomb):
    tensors, run = run_state()
    run["recipe"].update(bomb)
    if not run["recipe"]["stateful"]:
        run["position"] = {}
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    result = resume(tensors, run)
    assert result.code == 2 and "this is not the state of a run" in result.err
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000
