"""
Which command may write where: everything that can be at the target × every command that trains.

What is refused leaves every byte as it was and makes nothing; so does a command that has nothing to do.
"""

import os
import re
import shutil
import signal
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from charrnn import checkpoint
from charrnn.training import RECIPES
from scripts import sweep, train
from tests.by_hand import rewrite
from tests.calling import interrupted, said

TEXT = "the quick brown fox jumps over the lazy dog.\n" * 30
TINY = "--steps 4 --batch 2 --seq-len 8 --hidden-dim 6 --save-every 2".split()
SWEPT = "rnn-hidden_dim=6-steps=4-batch=2-seq_len=8-seed=0"
LIMITED = 16  # characters of the texts that a run writes


@pytest.fixture(scope="module")
def own(tmp_path_factory) -> Path:
    """Checkpoints and unfinished runs of this project, to be copied to a target; and the texts they learnt."""
    root = tmp_path_factory.mktemp("own")
    (root / "a.txt").write_text(TEXT, encoding="utf-8")
    (root / "b.txt").write_text(TEXT[::-1], encoding="utf-8")
    threads = torch.get_num_threads()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train, "SAMPLE_CHARS", LIMITED)
        patch.setattr(train, "PASSAGE_CHARS", LIMITED)
        a, b = ["--data", str(root / "a.txt")], ["--data", str(root / "b.txt")]
        for name, flags in {"same": a, "seed": [*a, "--seed", "1"], "text": b}.items():
            assert train.main([*flags, *TINY, "--keep-steps", "--out", str(root / name)]) == 0
        for name, flags in {"run": a, "run of another seed": [*a, "--seed", "1"]}.items():
            with interrupted(at=3):
                assert train.main([*flags, *TINY, "--out", str(root / name)]) == 128 + signal.SIGINT
    torch.set_num_threads(threads)
    return root


# ------------------------------------------------------------------------------------------------ what can be there


def copy_of(name):
    return lambda own, target: shutil.copytree(own / name, target)


def copy_and(name, change):
    """A copy of something of ours, then changed."""

    def make(own, target):
        shutil.copytree(own / name, target)
        change(target)

    return make


def alone(path, content):
    """A folder with nothing but one file of somebody else."""

    def make(own, target):
        (target / path).parent.mkdir(parents=True)
        (target / path).write_bytes(content)

    return make


def another_models(own, target):
    """The files of a model of another program, by the names that ours have."""
    (target / "steps").mkdir(parents=True)
    for path in ("model.safetensors", "steps/000010.safetensors", "steps/best.safetensors"):
        save_file({"lm_head.weight": torch.ones(3, 2)}, target / path)
    (target / "config.json").write_text('{"architectures": ["GPT2LMHeadModel"]}')
    (target / "analyses.json").write_text('{"loss": 1}')


def of_format_99(target):
    rewrite(target / "model.safetensors", lambda header, data: header["__metadata__"].update(charrnn="99"))


def cut_off(path):
    return lambda target: (target / path).write_bytes((target / path).read_bytes()[:-3])


def put(path, content):
    return lambda target: (target / path).write_bytes(content)


def linked(own, target):
    shutil.copytree(own / "same", target.parent / "elsewhere")
    target.symlink_to("elsewhere")


def linked_file(target):
    (target / "model.safetensors").rename(target.parent / "mine.safetensors")
    (target / "model.safetensors").symlink_to("../mine.safetensors")


KINDS = {
    "nothing": lambda own, target: None,
    "an empty folder": lambda own, target: target.mkdir(),
    "the same": copy_of("same"),
    "another seed": copy_of("seed"),
    "another text": copy_of("text"),
    "an unfinished run": copy_of("run"),
    "an unfinished run of another seed": copy_of("run of another seed"),
}
FOREIGN = {
    "a model of another program": (another_models, r"steps/best.safetensors"),
    "a config of another program": (alone("config.json", b"{}"), "holds config.json but neither"),
    "a text of the user's": (alone("passage.txt", b"dear diary"), "holds passage.txt but neither"),
    "analyses of another program": (alone("analyses.json", b"[1]"), "holds analyses.json but neither"),
    "weights of another program": (alone("steps/000001.safetensors", b"x"), "holds steps"),
    "notes": (alone("notes.txt", b"do not lose"), r"no part of a checkpoint \(notes.txt\)"),
    "a checkpoint and notes": (copy_and("same", put("notes.txt", b"x")), r"no part of a checkpoint \(notes.txt\)"),
    "a checkpoint and a foreign config": (
        copy_and("same", put("config.json", b'{"architectures": []}')),
        "config.json is of another program",
    ),
    "a checkpoint and a foreign history": (copy_and("same", put("history.json", b"[1]")), "history.json is of another"),
    "a checkpoint and foreign analyses": (
        copy_and("same", put("analyses.json", b'{"format": 2, "sections": {}}')),
        "analyses.json does not hold analyses of format 1",
    ),
    "a checkpoint and a foreign step": (
        copy_and("same", put("steps/000002.safetensors", b"x")),
        "000002.safetensors is not a safetensors file",
    ),
    "a checkpoint and a passage that is none": (
        copy_and("same", put("passage.txt", b"\xff")),
        "passage.txt is not a text",
    ),
    "a newer format": (copy_and("same", of_format_99), "is not a charrnn checkpoint of format"),
    "a damaged checkpoint": (copy_and("same", cut_off("model.safetensors")), "model.safetensors is damaged"),
    "a damaged run": (copy_and("run", cut_off("training.safetensors")), "training.safetensors is damaged"),
    "a run beside a damaged checkpoint": (copy_and("run", cut_off("model.safetensors")), "is damaged"),
    "a link to a checkpoint": (linked, "is a link: name the folder that it leads to"),
    "a checkpoint with a linked file": (copy_and("same", linked_file), r"no part of a checkpoint \(model.safetensors"),
    "a file": (lambda own, target: target.write_bytes(b"x"), "cannot write .*: Not a directory"),
    "a folder for a file": (copy_and("run", lambda target: (target / "config.json.d").mkdir()), "config.json.d"),
}

# ------------------------------------------------------------------------------------------------ who wants to write

COMMANDS = {
    "train --out": ("rnn", lambda data, root: train.main([*data, *TINY, "--out", str(root / "rnn")])),
    "train": ("rnn", lambda data, root: train.main([*data, *TINY, "--recipe", "rnn"])),
    "train --resume": ("rnn", lambda data, root: train.main([*data, "--out", str(root / "rnn"), "--resume"])),
    "train --all --out": ("rnn", lambda data, root: train.main([*data, *TINY, "--all", "--out", str(root)])),
    "sweep": (SWEPT, lambda data, root: sweep.main([*data, *TINY, "--into", str(root)])),
}
WRITTEN, LEFT, REFUSED = (0, True), (0, False), (2, False)
TABLE = {
    #                                     --out    default   --resume    --all    sweep
    "nothing": (WRITTEN, WRITTEN, REFUSED, WRITTEN, WRITTEN),
    "an empty folder": (WRITTEN, WRITTEN, REFUSED, WRITTEN, WRITTEN),
    "the same": (WRITTEN, WRITTEN, LEFT, LEFT, LEFT),
    "another seed": (WRITTEN, REFUSED, LEFT, REFUSED, REFUSED),
    "another text": (WRITTEN, REFUSED, REFUSED, REFUSED, REFUSED),
    "an unfinished run": (REFUSED, REFUSED, WRITTEN, WRITTEN, WRITTEN),
    "an unfinished run of another seed": (REFUSED, REFUSED, WRITTEN, REFUSED, REFUSED),
}
REASONS = {
    ("nothing", "train --resume"): "holds no unfinished run .*: start one without --resume",
    ("an empty folder", "train --resume"): "holds no unfinished run",
    ("another seed", "train"): "a finished network with seed 1, not 0: name a folder of its own with --out",
    ("another seed", "train --all --out"): "a finished network with seed 1, not 0: give another --out, or name it",
    ("another seed", "sweep"): "a finished network with seed 1, not 0: give another --into",
    ("another text", "train --resume"): "is finished and has a text with sha256 .*: start another without --resume",
    ("an unfinished run", "train"): "go on with --resume, or remove .*training.safetensors",
    ("an unfinished run of another seed", "sweep"): "has seed 1, not 0: go on with that, or remove .*training",
}


@pytest.fixture
def typed(own, tmp_path, capsys, monkeypatch):
    """A command of the table on a root folder, the text the first of the two."""
    monkeypatch.setattr(train, "SAMPLE_CHARS", LIMITED)
    monkeypatch.setattr(train, "PASSAGE_CHARS", LIMITED)
    monkeypatch.setattr(train, "CHECKPOINTS", tmp_path)
    monkeypatch.setattr(train, "RECIPES", {"rnn": replace(RECIPES["rnn"])})
    data = ["--data", str(own / "a.txt"), "--threads", "1"]
    return lambda command, root=tmp_path: said(capsys, lambda _: COMMANDS[command][1](data, root))


def everything(root: Path) -> dict[str, object]:
    """Every file, folder and link, to the byte."""
    found: dict[str, object] = {}
    for path in root.rglob("*"):
        found[str(path.relative_to(root))] = (
            os.readlink(path) if path.is_symlink() else path.read_bytes() if path.is_file() else "folder"
        )
    return found


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_target_of_ours_is_written_only_by_a_command_that_may(own, typed, tmp_path, kind, command):
    KINDS[kind](own, tmp_path / COMMANDS[command][0])
    before = everything(tmp_path)
    code, changes = TABLE[kind][list(COMMANDS).index(command)]
    result = typed(command)
    assert result.code == code, result.err
    assert (everything(tmp_path) != before) == changes
    if code:
        assert re.search(REASONS.get((kind, command), "holds|has"), result.err) and "step 0" not in result.out
        assert len(result.err.splitlines()) == 1
    else:
        info = checkpoint.describe(tmp_path / COMMANDS[command][0])
        assert info.step == 4 and not checkpoint.holds_run(info.folder)


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("kind", FOREIGN)
def test_what_is_not_ours_is_never_written_to(own, typed, tmp_path, kind, command):
    make, reason = FOREIGN[kind]
    make(own, tmp_path / COMMANDS[command][0])
    before = everything(tmp_path)
    result = typed(command)
    assert (result.code, everything(tmp_path) == before) == (2, True), result.err
    assert re.search(reason, result.err) and "step 0" not in result.out
    assert len(result.err.splitlines()) == 1
