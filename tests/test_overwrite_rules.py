"""
Commands write only to permitted target folders.

A command that is refused, or has nothing to do, changes and creates no file.
"""

import json
import os
import re
import shutil
import signal
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from charrnn import checkpoint
from charrnn.checkpoint import CheckpointError, RunIdentity, Verdict
from charrnn.checkpoint.disk_space import MAX_VOCAB_BYTES
from charrnn.checkpoint.safetensors_io import MAX_HEADER_BYTES
from charrnn.commands import sweep, train, train_all, train_flags, train_folder, train_run
from charrnn.corpus import TINY_SHAKESPEARE_SHA256
from charrnn.metrics import Metrics
from charrnn.training import RECIPES, DivergedError, Training, saved_steps
from charrnn.training.resume_state import state_shapes
from charrnn.training.trainer import measured_every
from tests.checkpoint_files import edit_safetensors
from tests.cli import ROOT, interrupted, run_main

TEXT = "the quick brown fox jumps over the lazy dog.\n" * 30
TINY = "--steps 4 --batch 2 --seq-len 8 --hidden-dim 6 --save-every 2".split()
SWEPT = "rnn-hidden_dim=6-steps=4-batch=2-seq_len=8-seed=0"
SHORT = 16  # characters of the texts that a run writes


@pytest.fixture(scope="module")
def own(tmp_path_factory) -> Path:
    """Checkpoints and unfinished runs to copy to a target, and their texts."""
    root = tmp_path_factory.mktemp("own")
    (root / "a.txt").write_text(TEXT, encoding="utf-8")
    (root / "b.txt").write_text(TEXT[::-1], encoding="utf-8")
    threads = torch.get_num_threads()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train_run, "SAMPLE_CHARS", SHORT)
        patch.setattr(train_run, "PASSAGE_CHARS", SHORT)
        a, b = ["--data", str(root / "a.txt")], ["--data", str(root / "b.txt")]
        for name, flags in {"same": a, "seed": [*a, "--seed", "1"], "text": b}.items():
            assert train.main([*flags, *TINY, "--keep-steps", "--out", str(root / name)]) == 0
        for name, flags in {"run": a, "run of another seed": [*a, "--seed", "1"]}.items():
            with interrupted(at=3):
                assert train.main([*flags, *TINY, "--out", str(root / name)]) == 128 + signal.SIGINT
    torch.set_num_threads(threads)
    return root


def copy_of(name, change=lambda target: None):
    """A copy of one of our folders, with a change."""

    def make(own, target):
        shutil.copytree(own / name, target)
        change(target)

    return make


def single_file(path, content):
    """A folder with one foreign file."""

    def make(own, target):
        (target / path).parent.mkdir(parents=True)
        (target / path).write_bytes(content)

    return make


def foreign_model(own, target):
    """Files of another program with our file names."""
    (target / "steps").mkdir(parents=True)
    for path in ("model.safetensors", "steps/000010.safetensors", "steps/best.safetensors"):
        save_file({"lm_head.weight": torch.ones(3, 2)}, target / path)
    (target / "config.json").write_text('{"architectures": ["GPT2LMHeadModel"]}')
    (target / "analyses.json").write_text('{"loss": 1}')


def of_format_99(target):
    edit_safetensors(target / "model.safetensors", lambda header, data: header["__metadata__"].update(charrnn="99"))


def truncated(path):
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
    "a model of another program": (foreign_model, r"steps/best.safetensors"),
    "a config of another program": (single_file("config.json", b"{}"), "holds config.json but neither"),
    "a text of the user's": (single_file("passage.txt", b"dear diary"), "holds passage.txt but neither"),
    "analyses of another program": (single_file("analyses.json", b"[1]"), "holds analyses.json but neither"),
    "weights of another program": (single_file("steps/000001.safetensors", b"x"), "holds steps"),
    "notes": (single_file("notes.txt", b"do not lose"), r"not part of a checkpoint \(notes.txt\)"),
    "a checkpoint and notes": (copy_of("same", put("notes.txt", b"x")), r"not part of a checkpoint \(notes.txt\)"),
    "a checkpoint and a foreign config": (
        copy_of("same", put("config.json", b'{"architectures": []}')),
        "config.json is of another program",
    ),
    "a checkpoint and a foreign history": (copy_of("same", put("history.json", b"[1]")), "history.json is of another"),
    "a checkpoint and foreign analyses": (
        copy_of("same", put("analyses.json", b'{"format": 2, "sections": {}}')),
        "analyses.json does not hold analyses of format 1",
    ),
    "a checkpoint and a foreign step": (
        copy_of("same", put("steps/000002.safetensors", b"x")),
        "000002.safetensors is not a safetensors file",
    ),
    "a checkpoint and an invalid passage": (
        copy_of("same", put("passage.txt", b"\xff")),
        "passage.txt is not UTF-8 text",
    ),
    "a newer format": (copy_of("same", of_format_99), "is not a charrnn checkpoint of format"),
    "a damaged checkpoint": (copy_of("same", truncated("model.safetensors")), "model.safetensors is damaged"),
    "a damaged run": (copy_of("run", truncated("training.safetensors")), "training.safetensors is damaged"),
    "a run beside a damaged checkpoint": (copy_of("run", truncated("model.safetensors")), "is damaged"),
    "a link to a checkpoint": (linked, "is a link: name the folder that it leads to"),
    "a checkpoint with a linked file": (copy_of("same", linked_file), r"not part of a checkpoint \(model.safetensors"),
    "a file": (lambda own, target: target.write_bytes(b"x"), "cannot write .*: Not a directory"),
    "a folder for a file": (copy_of("run", lambda target: (target / "config.json.d").mkdir()), "config.json.d"),
}


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
    ("an unfinished run of another seed", "sweep"): "has seed 1, not 0: resume that run, or remove .*training",
}


@pytest.fixture
def typed(own, tmp_path, capsys, monkeypatch):
    """Call a command of the table on a root folder with the first text."""
    monkeypatch.setattr(train_run, "SAMPLE_CHARS", SHORT)
    monkeypatch.setattr(train_run, "PASSAGE_CHARS", SHORT)
    for module in (train_all, train_folder):
        monkeypatch.setattr(module, "CHECKPOINTS", tmp_path)
    monkeypatch.setattr(train_all, "RECIPES", {"rnn": replace(RECIPES["rnn"])})
    data = ["--data", str(own / "a.txt"), "--threads", "1"]
    return lambda command, root=tmp_path: run_main(capsys, lambda _: COMMANDS[command][1](data, root))


def everything(root: Path) -> dict[str, object]:
    """The content of every file, folder and link."""
    found: dict[str, object] = {}
    for path in root.rglob("*"):
        content = os.readlink(path) if path.is_symlink() else path.read_bytes() if path.is_file() else "folder"
        found[str(path.relative_to(root))] = content
    return found


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("kind", KINDS)
def test_own_target_is_written_by_permitted_commands(own, typed, tmp_path, kind, command):
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
        assert info.step == 4 and not checkpoint.has_run_state(info.folder)


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("kind", FOREIGN)
def test_foreign_target_is_never_written(own, typed, tmp_path, kind, command):
    make, reason = FOREIGN[kind]
    make(own, tmp_path / COMMANDS[command][0])
    before = everything(tmp_path)
    result = typed(command)
    assert (result.code, everything(tmp_path) == before) == (2, True), result.err
    assert re.search(reason, result.err) and "step 0" not in result.out
    assert len(result.err.splitlines()) == 1


@pytest.mark.parametrize("name", RECIPES)
def test_bundled_checkpoint_may_be_refreshed(name):
    options = train_flags.parse(["--recipe", name])
    identity = RunIdentity(asdict(train_flags.recipe_from_flags(options, name)), 0, TINY_SHAKESPEARE_SHA256)
    assert checkpoint.examine(ROOT / "checkpoints" / name).verdict(identity, "name it") == (Verdict.SAME, "")


def test_size_estimate_bounds_files(own, tmp_path, monkeypatch):
    """The estimate bounds the file sizes by at most a factor."""
    estimates = {}

    def require_room(folder, vocab, state_bytes, model_bytes, saved_steps):
        estimates.update({"training": state_bytes, "model": model_bytes})

    monkeypatch.setattr(checkpoint, "require_room", require_room)
    monkeypatch.setattr(train_run, "SAMPLE_CHARS", SHORT)
    for cell, flags in {"lstm": ["--stateful", "--layer-norm"], "minigpt": ["--hidden-dim", "8"]}.items():
        out = tmp_path / cell
        data = ["--data", str(own / "a.txt"), "--keep-steps"]
        with interrupted(at=11, cell=cell):
            train.main([*data, "--cell", cell, *TINY, "--steps", "12", *flags, "--out", str(out)])
        for name, size in estimates.items():
            content = (out / f"{name}.safetensors").read_bytes()
            length = int.from_bytes(content[:8], "little")
            assert len(content) - length - 8 <= size <= 2 * len(content), "half precision at most"


def test_longest_curve_fits_header_beside_vocabulary():
    recipe = replace(RECIPES["minigpt"], steps=10**7)
    every = measured_every(recipe)
    longest = 1.2345678901234567e-100  # of the numbers between 0 and a million
    points = [asdict(Metrics(recipe.steps, *[longest] * 5))] * (recipe.steps // every + 8)
    tensors = state_shapes(recipe, 1000, saved_steps(recipe), begun=True, carried=False)
    entries = sum(len(name) + 100 for name in tensors)  # {"dtype":"F32","shape":[…],"data_offsets":[…, …]}
    run = len(json.dumps(json.dumps({"history": points, "losses": [longest] * every}))) + entries
    model = len(json.dumps(json.dumps(points))) + entries + MAX_VOCAB_BYTES
    assert max(run, model) < 0.95 * MAX_HEADER_BYTES


@pytest.mark.parametrize(
    ("flags", "free", "text", "reason"),
    [
        ("--hidden-dim 4096 --cell gru", 1 << 60, TEXT, r"up to 2,\d{3},\d{3},\d{3} bytes, and 1,073,741,824"),
        ("--steps 1000000", 1 << 60, "".join(map(chr, range(0x10000, 0x1FDE8))) * 2, "bytes of metadata"),
        ("", 10_000, TEXT, "0.0 MB are free: make room"),
    ],
    ids=["state", "metadata", "disk"],
)
def test_unsavable_run_is_refused_first(tmp_path, capsys, monkeypatch, flags, free, text, reason):
    def begin(*arguments):
        raise AssertionError("built the network")

    monkeypatch.setattr(train_run, "Training", begin)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(1 << 60, 0, free))  # type: ignore[attr-defined]
    (tmp_path / "text.txt").write_text(text, encoding="utf-8")
    target = ["--data", tmp_path / "text.txt", "--out", tmp_path / "a/b"]
    result = run_main(capsys, train.main, *target, "--seq-len", 8, "--batch", 2, *flags.split())
    assert result.code == 2 and re.search(reason, result.err) and len(result.err.splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["text.txt"]


@pytest.mark.parametrize("name", ["a\nb", "\x1b[31m", "a\u202eb", "a\u2028b", "x" * 256, "\udcff"])
def test_unprintable_folder_name_is_refused(own, tmp_path, capsys, name):
    result = run_main(capsys, train.main, "--data", own / "a.txt", "--out", tmp_path / name, *TINY)
    assert result.code == 2 and "step 0" not in result.out and list(tmp_path.iterdir()) == []
    assert len(result.err.splitlines()) == 1


def test_current_or_empty_folder_is_refused(own, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    reasons = {"": "--out: it is empty", ".": "is the current folder", "/": "that can be shown, not ''"}
    for out, reason in reasons.items():
        result = run_main(capsys, train.main, "--data", own / "a.txt", "--out", out, *TINY)
        assert result.code == 2 and reason in result.err and list(tmp_path.iterdir()) == []
    shutil.copytree(own / "same", tmp_path / "rnn")
    result = run_main(capsys, train.main, "--data", "rnn/passage.txt", "--out", "rnn", *TINY, "--seq-len", "1")
    assert result.code == 2 and "--data rnn/passage.txt lies in rnn, where the run writes" in result.err


def test_resume_finds_its_text(own, tmp_path, typed, capsys, monkeypatch):
    text, out = tmp_path / "my text.txt", tmp_path / "rnn"
    text.write_text(TEXT, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    with interrupted(at=2):
        assert run_main(capsys, train.main, "--data", text.name, "--out", "rnn", *TINY).code == 128 + signal.SIGINT
    monkeypatch.chdir(tmp_path.parent)
    text.write_text(TEXT.upper(), encoding="utf-8")
    changed = run_main(capsys, train.main, "--out", out, "--resume")
    assert changed.code == 2 and f"{text} is no longer the text" in changed.err and "--data" in changed.err
    text.rename(tmp_path / "moved.txt")
    missing = run_main(capsys, train.main, "--out", out, "--resume")
    assert missing.code == 2 and str(text) in missing.err and "name it with --data" in missing.err
    text.write_text(TEXT, encoding="utf-8")
    with interrupted(at=3):
        assert run_main(capsys, train.main, "--out", out, "--resume").code == 128 + signal.SIGINT
    done = run_main(capsys, train.main, "--out", out, "--resume")
    assert done.code == 0 and checkpoint.describe(out).step == 4
    repeated = run_main(capsys, train.main, "--out", out, "--resume")
    assert repeated.code == 0 and "done, 4 steps; nothing is left to resume" in repeated.out
    for flags, reason in {("--batch", 3): "batch 2, not 3", ("--seed", 1): "seed 0, not 1"}.items():
        other = run_main(capsys, train.main, "--out", out, "--resume", *flags)
        assert other.code == 2 and f"is finished and has {reason}" in other.err


def test_resume_of_finished_run_pushes_it(own, tmp_path, typed, capsys, monkeypatch):
    pushed = []
    monkeypatch.setattr(train, "push", lambda *arguments: pushed.append(arguments) or 0)
    shutil.copytree(own / "same", tmp_path / "rnn")
    assert run_main(capsys, train.main, "--out", tmp_path / "rnn", "--resume", "--push-to-hub", "me/rnn").code == 0
    assert pushed == [(tmp_path / "rnn", "me/rnn", False)]


@pytest.fixture
def at_step_two(monkeypatch):
    """Run an action after the second update of a run."""

    def install(action):
        advance = Training.advance

        def advance_and_act(training):
            advance(training)
            if training.step == 2 and training.seed == 0:
                action()

        monkeypatch.setattr(Training, "advance", advance_and_act)

    return install


def test_run_leaves_replaced_folder_alone(own, tmp_path, typed, capsys, at_step_two):
    out = tmp_path / "rnn"
    flags = ["--data", own / "a.txt", "--out", out, *TINY]
    replacement = {}

    def remove_and_train_another():
        shutil.rmtree(out)
        assert run_main(capsys, train.main, *flags, "--seed", 1).code == 0
        replacement.update(everything(out))

    at_step_two(remove_and_train_another)
    result = run_main(capsys, train.main, *flags)
    assert result.code == 2 and f"{out} was replaced during the run" in result.err
    assert everything(out) == replacement and checkpoint.describe(out).seed == 1


def test_running_run_is_not_to_be_removed(own, tmp_path, typed, capsys):
    shutil.copytree(own / "run", tmp_path / "rnn")
    with checkpoint.folder_lock(tmp_path / "rnn"):
        for command in ("train --out", "train --resume", "train --all --out"):
            result = typed(command)
            assert result.code == 2 and "another run writes to" in result.err and "or remove" not in result.err


def test_run_recreates_removed_folder(own, tmp_path, typed, capsys, at_step_two):
    out = tmp_path / "rnn"
    at_step_two(lambda: shutil.rmtree(out))
    assert run_main(capsys, train.main, "--data", own / "a.txt", "--out", out, *TINY).code == 0
    assert checkpoint.describe(out).step == 4
    with checkpoint.folder_lock(out), pytest.raises(CheckpointError, match="another run"), checkpoint.folder_lock(out):
        pass


def test_failed_lock_leaves_no_folder(tmp_path):
    with pytest.raises(ZeroDivisionError), checkpoint.folder_lock(tmp_path / "a" / "b"):
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("clip", "advice"), [(0, "or clip: --max-grad-norm 5"), (1, "or --max-grad-norm")])
def test_diverged_run_names_its_own_checkpoint(own, tmp_path, typed, capsys, monkeypatch, clip, advice):
    def diverge(training):
        raise DivergedError(training.step, float("nan"), float("nan"))

    monkeypatch.setattr(Training, "advance", diverge)
    flags = ["--data", own / "a.txt", *TINY, "--max-grad-norm", clip]
    shutil.copytree(own / "seed", tmp_path / "rnn")
    failed = run_main(capsys, train.main, *flags, "--out", tmp_path / "rnn")
    assert (
        failed.code == 1 and "still has the finished network of an earlier run" in failed.err and advice in failed.err
    )
    assert "last good" not in failed.err and checkpoint.describe(tmp_path / "rnn").seed == 1
    fresh = run_main(capsys, train.main, *flags, "--out", tmp_path / "fresh")
    assert fresh.code == 1 and f"the last good checkpoint is {tmp_path / 'fresh'}, step 0" in fresh.err
