"""`scripts/train.py --all`, and recipes and folders named by flags."""

import shutil
from dataclasses import asdict, replace

import pytest
import torch

from charrnn import checkpoint
from charrnn.commands import train, train_all, train_flags, train_folder, train_run
from charrnn.training import RECIPES
from tests.checkpoint_files import rewrite_checkpoint
from tests.cli import run_main

pytestmark = pytest.mark.process

TEXT = "the quick brown fox jumps over the lazy dog.\n" * 60
TINY = "--steps 4 --batch 2 --seq-len 8 --hidden-dim 8 --save-every 2".split()
TWO = {name: RECIPES[name] for name in ("rnn", "gru")}


@pytest.fixture
def corpus(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text(TEXT, encoding="utf-8")
    return path


@pytest.fixture
def typed(capsys, monkeypatch, corpus, tmp_path):
    """Call the script on the small text in this process, with short texts."""
    monkeypatch.setattr(train_run, "PASSAGE_CHARS", 40)
    monkeypatch.setattr(train_run, "SAMPLE_CHARS", 20)
    for module in (train_all, train_folder):
        monkeypatch.setattr(module, "CHECKPOINTS", tmp_path / "checkpoints")
    return lambda *arguments: run_main(capsys, train.main, "--data", corpus, *arguments)


@pytest.fixture
def two(monkeypatch):
    """Limit the recipes to two."""
    for module in (train_all, train_flags):
        monkeypatch.setattr(module, "RECIPES", TWO)


def small_recipe(name):
    return replace(RECIPES[name], steps=4, batch=2, seq_len=8, hidden_dim=8)


def heads(result):
    """The first line of each recipe."""
    return [line for line in result.out.splitlines() if line.partition(":")[0] in RECIPES]


def stamps(root):
    return {path: path.stat().st_mtime_ns for path in root.rglob("*") if path.is_file()}


def same(a, b):
    a, b = (checkpoint.load(folder).model.state_dict() for folder in (a, b))
    return all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize(
    ("flags", "name", "base", "changes"),
    [
        ("", "rnn", "rnn", {}),
        ("--cell lstm --layer-norm", "lstm-layernorm", "lstm-layernorm", {}),
        ("--cell gru", "gru", "gru", {}),
        ("--cell minigpt", "minigpt", "minigpt", {}),
        ("--layer-norm", "rnn-layernorm", "rnn-layernorm", {}),
        ("--stateful", "rnn-stateful", "rnn-stateful", {}),
        ("--seq-len 256", "rnn-seq256", "rnn-seq256", {}),
        ("--seq-len 512", "rnn-seq512", "rnn-seq512", {}),
        ("--seq-len 128", "rnn", "rnn", {}),
        ("--cell lstm --stateful --no-layer-norm", "lstm", "lstm", {}),
        ("--recipe best", "best", "best", {}),
        ("--cell gru --layer-norm", "gru-layernorm", "gru", {"layer_norm": True}),
        ("--layer-norm --seq-len 512", "rnn-layernorm-seq512", "rnn", {"layer_norm": True, "seq_len": 512}),
        ("--cell minigpt --seq-len 256", "minigpt-seq256", "minigpt", {"seq_len": 256}),
        ("--recipe lstm --dropout 0.5", "lstm", "lstm", {"dropout": 0.5}),
        ("--stateful --dropout 0.1", "rnn-stateful", "rnn-stateful", {"dropout": 0.1}),
    ],
)
def test_flags_give_recipe_and_folder(flags, name, base, changes):
    options = train_flags.parse(flags.split())
    assert train_folder.recipe_name(options) == name
    assert train_flags.recipe_from_flags(options, name) == replace(RECIPES[base], **changes)


def test_default_folder_is_named_for_recipe(typed, tmp_path):
    result = typed("--cell", "lstm", "--layer-norm", *TINY[:4], *TINY[6:])
    assert result.code == 0, result.err
    info = checkpoint.describe(tmp_path / "checkpoints/lstm-layernorm")
    assert info.config == {"cell": "lstm", "hidden_dim": 8, "layer_norm": True}
    assert info.recipe == asdict(replace(small_recipe("lstm-layernorm"), seq_len=128))


def test_train_all_trains_missing_recipes_only(typed, tmp_path):
    root = tmp_path / "all"
    first = typed("--all", "--out", root, *TINY)
    assert first.code == 0, first.err
    assert heads(first) == [f"{name}: starts" for name in RECIPES]
    infos, refused = checkpoint.list_checkpoints(root)
    assert {info.name for info in infos} == set(RECIPES) and not refused
    for info in infos:
        recipe = small_recipe(info.name)
        assert info.recipe == asdict(recipe)
        assert info.config.items() >= recipe.config.items()
        assert info.saved_steps == ([0, 4] if recipe.keep_steps else [4])
        assert not checkpoint.has_run_state(root / info.name)
        assert info.passage

    before = stamps(root)
    second = typed("--all", "--out", root, *TINY)
    assert second.code == 0
    losses = {info.name: info.metrics["val_stream_nats"] for info in infos}
    assert second.out.splitlines() == [f"{name}: done, 4 steps, val {losses[name]:.4f}" for name in RECIPES]
    assert stamps(root) == before, "nothing was written"

    shutil.move(root / "lstm", tmp_path / "lstm")
    third = typed("--all", "--out", root, *TINY)
    assert third.code == 0
    assert [line for line in heads(third) if "done" not in line] == ["lstm: starts"]
    assert same(root / "lstm", tmp_path / "lstm")
    changed = {path for path, stamp in stamps(root).items() if before.get(path) != stamp}
    assert changed == set((root / "lstm").rglob("*.*"))


def test_train_all_lists_bad_recipe_and_trains_rest(typed, monkeypatch, tmp_path):
    monkeypatch.setattr(train_all, "RECIPES", {name: RECIPES[name] for name in ("minigpt", "rnn")})
    result = typed("--all", "--out", tmp_path / "all", *TINY, "--stateful")
    assert (result.code, heads(result)) == (1, ["rnn: starts"])
    assert "minigpt: --stateful is True: that is for recurrent cells" in result.err
    rows = {line.split()[0]: line for line in result.out.splitlines()[-2:]}
    assert "that is for recurrent cells" in rows["minigpt"] and rows["rnn"].split()[1] == "4"
    assert [path.name for path in (tmp_path / "all").iterdir()] == ["rnn"]


def test_train_all_accepts_recipe_of_older_version(typed, two, tmp_path):
    typed("--all", "--out", tmp_path / "all", *TINY)
    recipe = checkpoint.describe(tmp_path / "all/rnn").recipe
    older = {name: value for name, value in recipe.items() if name not in ("dropout", "cell", "stateful")}
    rewrite_checkpoint(tmp_path / "all/rnn", recipe=older)
    assert heads(typed("--all", "--out", tmp_path / "all", *TINY))[0].startswith("rnn: done")


def test_train_all_with_settings_needs_own_folder(typed, tmp_path):
    refused = typed("--all", "--hidden-dim", 8)
    assert refused.code == 2 and "--all with --hidden-dim would train other networks" in refused.err
    refused = typed("--all")  # on another text
    assert refused.code == 2 and "text.txt would train other networks than the bundled ones" in refused.err
    assert not (tmp_path / "checkpoints").exists()
