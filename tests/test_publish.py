"""Publish to a fake Hub: tags, races, retries, scripts and model cards."""

import json
import math
import os
import re
import shlex
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from charrnn import checkpoint, hub
from charrnn.cells import HiddenState, VanillaRNNCell
from charrnn.commands import publish, sample, train, train_flags, train_folder
from charrnn.export import graph_json
from charrnn.hub import model_card as card_of
from charrnn.hub.upload import files_to_delete
from charrnn.text_tables import quoted
from charrnn.training import RECIPES, Recipe
from tests.cli import ROOT, run_main
from tests.fake_hub import PRIVATE_ORGANIZATION
from tests.hub_client import Server, commit_files, write_checkpoint

pytestmark = pytest.mark.process

BUSY = {"repos_create": 503, "make_commit": 429, "make_tag": 500}


@pytest.fixture
def folder(tmp_path) -> Path:
    return write_checkpoint(tmp_path / "tiny", seed=1, steps=[0, 10])


@pytest.fixture
def push(folder) -> list:
    """The call that publishes `folder`."""
    return ["push", str(folder), "me/tiny"]


@pytest.fixture
def push_other(tmp_path) -> list:
    """The call that publishes another checkpoint to the same repository."""
    return ["push", str(write_checkpoint(tmp_path / "other", seed=2, steps=[])), "me/tiny"]


def test_releases_are_tagged_once(server: Server, folder, push, push_other):
    tag, resolve = {"tag": "final"}, ["resolve", "me/tiny@v1"]
    *pushed, taken, found = server.call(push, push, push_other, [*push, tag], [*push, tag], [*push_other, tag], resolve)
    first, repeated, second, named, renamed = pushed
    assert [each["tag"] for each in pushed] == ["v1", "v1", "v2", "final", "final"]
    assert first["commit"] == repeated["commit"] == found["commit"]
    assert Path(found["folder"], "model.safetensors").read_bytes() == (folder / "model.safetensors").read_bytes()
    assert taken["error"] == "me/tiny has a tag final already, on another commit: choose another --tag"
    newest = server.request("/api/models/me/tiny")["sha"]
    assert newest == named["commit"] == renamed["commit"], "a refused push writes nothing"
    tags = {tag["name"]: tag["targetCommit"] for tag in server.request("/api/models/me/tiny/refs")["tags"]}
    assert tags == {"v1": first["commit"], "v2": second["commit"], "final": named["commit"]}


def test_missing_tag_is_set_by_next_push(server: Server, push):
    failed, pushed = server.call(["fail", {"make_tag": [403, "", "no", {}, 1]}], push, push)
    assert "write access" in failed["error"] and pushed["tag"] == "v1"
    assert server.request("/counts")["make_commit"] == 1


def test_concurrent_push_is_refused(server: Server, push, push_other):
    _, refused = server.call(push, ["fail", {"race": "me/tiny"}], push_other)
    assert "the repository changed in the meantime (412)" in refused["error"]
    assert {"theirs.txt", "steps/000010.safetensors"} <= server.files("me/tiny"), "nothing of ours is written"
    (pushed,) = server.call(push_other)
    assert pushed["tag"] == "v2" and "theirs.txt" in server.files("me/tiny")


def test_requests_of_busy_hub_are_repeated(server: Server, push):
    busy = {route: [status, "", "busy", {"Retry-After": "0"}, 2] for route, status in BUSY.items()}
    (pushed,) = server.call(["fail", busy], push, HF_HUB_DISABLE_XET="1")
    assert pushed["tag"] == "v1"
    notices = [f"the Hub answered {status}: trying again in 0 s" for status in BUSY.values()]
    assert pushed["notices"] == [notice for notice in notices for _ in range(2)]
    assert len(server.request("/api/models/me/tiny/refs")["tags"]) == 1


def test_rate_limit_is_waited_for(server: Server, push):
    header = {"RateLimit": '"api";r=0;t=1', "RateLimit-Policy": '"fixed window";"api";q=500;w=300'}
    (pushed,) = server.call(["fail", {"repos_create": [429, "", "busy", header, 1]}], push)
    assert pushed["notices"] == ["the Hub answered 429: trying again in 2 s"] and pushed["tag"] == "v1"


def test_long_retry_after_is_not_waited_for(server: Server, push):
    busy = {"make_commit": [429, "", "busy", {"Retry-After": "3600"}]}
    (refused,) = server.call(["fail", busy], push, HF_HUB_DISABLE_XET="1")
    assert "too many requests (429)" in refused["error"]


def test_private_repository_needs_token(server: Server, folder):
    pushed, found = server.call(["push", str(folder), "me/secret", {"private": True}], ["resolve", "me/secret"])
    assert found["commit"] == pushed["commit"]
    (refused,) = server.call(["resolve", "me/secret"], HF_TOKEN="", HF_HOME=str(folder / "nobody"))
    assert refused["error"].startswith("me/secret was not found, or is private")


def test_new_repository_has_visibility_of_owner(server: Server, folder):
    for owner in ("me", PRIVATE_ORGANIZATION):
        server.call(["push", str(folder), f"{owner}/lab"], ["push_space", str(ROOT), f"{owner}/lab", f"{owner}/lab"])
        for kind in ("models", "spaces"):
            assert server.request(f"/api/{kind}/{owner}/lab")["private"] is (owner == PRIVATE_ORGANIZATION)


def test_collection_replaces_and_is_replaced(server: Server, tmp_path):
    root = tmp_path / "all"
    for seed, name in enumerate(("gru", "rnn")):
        write_checkpoint(root / name, seed=seed, steps=[0], config={"cell": name, "hidden_dim": 4})
    commit_files(server, "me/lab", {"notes/README.md": b"theirs", "notes/config.json": b"{}", "gru/curve.png": b""})
    _, found = server.call(["push", str(root), "me/lab"], ["resolve", "me/lab"])
    good, refused = checkpoint.list_checkpoints(Path(found["folder"]))
    assert ([info.name for info in good], refused) == (["gru", "rnn"], {})
    files = ("README.md", "graph.json", "model.safetensors")
    expected = {f"{name}/{file}" for name in ("gru", "rnn") for file in files}
    assert expected | {"README.md", "notes/README.md"} <= server.files("me/lab")
    (alone,) = server.call(["push", str(root / "rnn"), "me/lab"])
    deleted = ["gru/README.md", "gru/config.json", "gru/curve.png", "gru/graph.json", "gru/history.json"]
    assert alone["notices"] == [f"deleting files that are no longer published: {', '.join(deleted)} and 10 more"]
    assert server.files("me/lab") == {
        *(".gitattributes", "README.md", "config.json", "graph.json", "history.json", "model.safetensors"),
        *("passage.txt", "steps/000000.safetensors", "notes/README.md", "notes/config.json"),
    }


def test_bad_checkpoint_stops_release_of_folder(folder, tmp_path):
    write_checkpoint(tmp_path / "bad", seed=1, steps=[])
    (tmp_path / "bad/model.safetensors").write_bytes(b"")
    with pytest.raises(checkpoint.CheckpointError, match="bad/model.safetensors is not a safetensors file"):
        hub.release(tmp_path, "me/lab")


@pytest.mark.parametrize(
    ("name", "target", "reason"),
    [
        ("config.json", "../secret", "a link that leads out of its folder"),
        ("config.json", ".env", "config.json is a link to .env: put the file itself there"),
        ("passage.txt", ".env", "passage.txt is a link to .env: put the file itself there"),
    ],
)
def test_linked_file_is_not_published(folder, name, target, reason):
    (folder / target).write_text("the password")
    (folder / name).unlink()
    (folder / name).symlink_to(target)
    with pytest.raises(checkpoint.CheckpointError, match=reason):
        hub.release(folder, "me/tiny")


def test_linked_steps_folder_is_not_published(folder, tmp_path):
    (folder / "steps").rename(tmp_path / "elsewhere")
    (folder / "steps").symlink_to(tmp_path / "elsewhere")
    assert checkpoint.describe(folder).saved_steps == [2000]
    with pytest.raises(checkpoint.CheckpointError):
        checkpoint.load(folder, 10)
    assert not [path for path in hub.release(folder, "me/tiny").files if path.startswith("steps/")]


def test_release_has_the_recorded_step_if_there_is_one(folder, monkeypatch):
    graph = hub.release(folder, "me/tiny").files["graph.json"]
    assert isinstance(graph, bytes)
    assert json.loads(graph) == json.loads(json.dumps(graph_json(checkpoint.load(folder).model)))
    monkeypatch.setattr(VanillaRNNCell, "forward", lambda self, x, state: HiddenState(torch.rand_like(state.h)))
    assert "graph.json" not in hub.release(folder, "me/tiny").files


def test_unloadable_steps_are_not_published(folder):
    (folder / "steps/mine.safetensors").write_text("the password")
    (folder / "steps/000020.safetensors").write_text("the password")
    (folder / "steps/10.safetensors").write_bytes((folder / "steps/000010.safetensors").read_bytes())
    (folder / "steps/000030.safetensors").symlink_to("000010.safetensors")
    steps = [path for path in hub.release(folder, "me/tiny").files if path.startswith("steps/")]
    assert steps == ["steps/000000.safetensors", "steps/000010.safetensors"]


OTHERS = {
    "card": {"README.md": b"# A model of mine"},
    "model": {"model.safetensors": b"theirs", "config.json": b"{}", "history.json": b"[]"},
    "step": {"README.md": b"---\nlicense: mit\n---\n", "steps/000010.safetensors": b"theirs"},
    "stolen card": {"README.md": b"unpublished with charrnn, 2026", "config.json": b"{}"},
}


def test_foreign_repository_is_refused_or_replaced(server: Server, folder):
    names = [f"me/theirs{number}" for number in range(len(OTHERS))]
    for name, files in zip(names, OTHERS.values(), strict=True):
        commit_files(server, name, files)

    def state() -> list[Any]:
        counts = server.request("/counts")
        writes = [counts.get(route, 0) for route in ("repos_create", "make_commit", "preupload")]
        return [*writes, *(server.request(f"/api/models/{name}")["sha"] for name in names)]

    before = state()
    for outcome in server.call(*(["push", str(folder), name] for name in names)):
        assert outcome["kind"] == "foreign" and "not published with charrnn and would be replaced: " in outcome["error"]
        assert "--replace" in outcome["error"]
    assert state() == before
    replaced = server.call(*(["push", str(folder), name, {"replace": True}] for name in names))
    assert all("commit" in outcome for outcome in replaced)
    commit_files(server, "me/foreign", OTHERS["card"])
    for name, reason in {"me/theirs0": "no such file", "me/foreign": "me/foreign holds files that were not"}.items():
        early = server.main("train", "--push-to-hub", name, "--data", "no such file")
        assert early.code == 2 and reason in early.err


def test_unrelated_files_in_repository_stay(server: Server, folder):
    theirs = {f"theirs/{name}": b"{}" for name in ("model.safetensors", "config.json", "history.json", "README.md")}
    commit_files(server, "me/mixed", {"README.md": b"---\nlicense: mit\n---\n", "notes.txt": b"mine", **theirs})
    pushed, repeated = server.call(["push", str(folder), "me/mixed"], ["push", str(folder), "me/mixed"])
    assert pushed["commit"] == repeated["commit"] and pushed["notices"] == []
    assert {*theirs, "notes.txt", "model.safetensors"} <= server.files("me/mixed")


def test_hidden_folder_is_not_published(tmp_path):
    for name in (".git", "rnn", ".bad"):
        write_checkpoint(tmp_path / name, seed=1, steps=[])
    (tmp_path / ".bad/model.safetensors").write_bytes(b"")
    assert not [path for path in hub.release(tmp_path, "me/lab").files if path.startswith(".")]
    with pytest.raises(checkpoint.CheckpointError, match="is a hidden folder"):
        hub.release(tmp_path / ".git", "me/lab")


def test_only_checkpoint_files_are_deleted():
    ours = ["model.safetensors", "config.json", "history.json", "steps/000010.safetensors", "README.md"]
    nested = [f"old/{name}" for name in ours]
    others = ["other/model.safetensors", "other/config.json", "a/b/model.safetensors", "data.csv", ".gitattributes"]
    assert files_to_delete([*ours, *nested, *others], ["README.md"], {"", "old"}) == sorted(
        {*ours, *nested} - {"README.md"}
    )
    assert files_to_delete([*ours, *nested, *others], ["README.md"], {"old"}) == sorted(nested)
    assert files_to_delete(["model.safetensors", "config.json", "tokenizer.json"], ["README.md"], {""}) == []
    starred = ["*/model.safetensors", "*/config.json", "*/history.json"]
    assert files_to_delete([*starred, *nested], [], {"*"}) == sorted(starred)


def run_line(server: Server, line: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a line in a shell in this folder."""
    return subprocess.run(
        line, shell=True, cwd=folder, env=os.environ | server.environment, capture_output=True, text=True
    )


def test_training_prints_retry_line(server: Server, tmp_path):
    (tmp_path / "text.txt").write_text("the quick brown fox jumps over the lazy dog.\n" * 60, encoding="utf-8")
    script = shlex.join([sys.executable, str(ROOT / "scripts/train.py")])
    tiny = "--steps 4 --batch 2 --seq-len 8 --hidden-dim 8 --threads 1 --data text.txt --out 'my net'"
    server.request("/faults", {"make_commit": [403, "", "no", {}]})
    failed = run_line(server, f"{script} {tiny} --push-to-hub me/mine --private", tmp_path)
    assert failed.returncode == 1
    *_, reason, safe, retry_line = failed.stderr.splitlines()
    assert reason == "me/mine: the token may not write there: it needs write access to this repository"
    assert safe == "the checkpoint is safe in my net; try again with:"
    server.request("/faults", {})
    done = run_line(server, retry_line, tmp_path)
    assert re.fullmatch(rf"{server.address}/me/mine at commit [0-9a-f]{{40}}, tag v1\n", done.stdout), done.stderr
    assert server.request("/api/models/me/mine")["private"] is True and "model.safetensors" in server.files("me/mine")


@pytest.mark.parametrize(
    ("error", "reason", "code"),
    [
        (KeyboardInterrupt(), "stopped", 130),
        (checkpoint.CheckpointError("model.safetensors has gone"), "model.safetensors has gone", 1),
        (hub.HubError("me/tiny: no"), "me/tiny: no", 1),
    ],
    ids=lambda value: type(value).__name__,
)
def test_interrupted_push_prints_retry_line(folder, capsys, monkeypatch, error, reason, code):
    def push(*arguments, **options):
        raise error

    monkeypatch.setattr(hub, "push", push)
    result = run_main(capsys, publish.main, "checkpoints", "me/tiny", "--folder", folder)
    command = ["scripts/publish.py", "checkpoints", "me/tiny", "--folder", str(folder)]
    *message, line = result.err.splitlines()
    assert (result.code, message) == (code, [reason, "nothing is lost; try again with:"])
    assert shlex.split(line)[1:] == command
    assert train.push(folder, "me/tiny", private=True) == code
    *message, line = capsys.readouterr().err.splitlines()
    assert message == [reason, f"the checkpoint is safe in {folder}; try again with:"]
    assert shlex.split(line)[1:] == [*command, "--private"]


@pytest.mark.parametrize("name", ["/", "owner/", "lab", "a b/c d", "me/x@v1", "a/b/c", "me/x.git", "me/"])
def test_invalid_repository_name_is_refused_first(capsys, name):
    refused = f"{name!r} is not the name of a Hub repository: give owner/name"
    calls = [
        (publish.main, ["checkpoints", name, "--folder", "no such folder"]),
        (publish.main, ["space", name]),
        (train.main, ["--push-to-hub", name, "--data", "no such file"]),
    ]
    calls += [] if "@" in name else [(publish.main, ["space", "me/lab", "--checkpoints", f"{name}@v1"])]
    for main, arguments in calls:
        result = run_main(capsys, main, *arguments)
        assert result.code == 2 and refused in result.err


def test_dry_run_lists_and_refuses_without_writing(server: Server, folder, push):
    flags = ["publish", "checkpoints", "me/tiny", "--folder", folder, "--dry-run"]
    result = server.main(*flags)
    lines = [line.split() for line in result.out.splitlines()]
    sizes = {path: int(size.replace(",", "")) for size, path in lines[:-1]}
    assert result.code == 0 and result.err == ""
    for name in ("config.json", "model.safetensors", "steps/000010.safetensors"):
        assert sizes[name] == (folder / name).stat().st_size
    assert "training.safetensors" not in sizes and "notes.txt" not in sizes
    assert lines[-1][:5] == [f"{sum(sizes.values()):,}", "bytes", "in", str(len(sizes)), "files:"]
    assert server.request("/counts") == {"info": 1}, "no repository was made"
    server.call([*push, {"tag": "final"}])
    (folder / "passage.txt").write_text("another")
    taken = server.main(*flags, "--tag", "final")
    assert taken.code == 1 and "has a tag final already" in taken.err and taken.out == ""
    server.kill()
    offline = server.main(*flags)
    assert offline.code == 0 and "cannot be reached" in offline.err and "model.safetensors" in offline.out


def test_card_sample_matches_its_command(capsys):
    folder = ROOT / "checkpoints/gru"
    card = hub.checkpoint_card(checkpoint.describe(folder), "me/lab", below="gru")
    text = re.search(r"^(`{3,})text\n(.*?)\n\1$", card, re.DOTALL | re.MULTILINE)
    command = re.search(r"^python scripts/sample.py (.*)$", card, re.MULTILINE)
    assert text is not None and command is not None and "--seed 7" in command[1]
    assert run_main(capsys, sample.main, *shlex.split(command[1])).out.rstrip("\n") == text[2].rstrip("\n")


def test_card_fence_cannot_be_closed_by_text():
    for text in ("a ``` b", "`" * 9, "\n````\n# heading"):
        fenced = quoted(text)
        fence = fenced.split("text\n")[0]
        assert set(fence) == {"`"} and fence not in text and fenced.endswith(fence)


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize(
    "changes", [{}, {"steps": 200, "learning_rate": 0.0042, "keep_steps": False, "batch": 7}], ids=str
)
def test_card_command_gives_same_recipe(name, changes):
    recipe, info = replace(RECIPES[name], **changes), checkpoint.describe(ROOT / "checkpoints/rnn-lab")
    info = replace(info, recipe=vars(recipe), seed=3, data_sha256="a" * 64)
    for saved_as in (name, "my net"):
        command = card_of.training_command(replace(info, saved_as=saved_as))
        assert command is not None
        options = train_flags.parse(shlex.split(command)[2:])
        assert train_flags.recipe_from_flags(options, train_folder.recipe_name(options)) == recipe
        assert (options.seed, str(options.data)) == (3, "input.txt")
    assert card_of.training_command(replace(info, recipe=vars(Recipe()) | {"magic": 1})) is None


def test_card_names_versions_and_curve_points(folder):
    info = checkpoint.describe(folder)
    card = hub.checkpoint_card(info, "me/tiny")
    assert f"torch {torch.__version__}" in card
    history = checkpoint.describe(ROOT / "checkpoints/gru").history
    for points, steps in ((history, [0, 300, 700, 1200, 1600, 2000]), (history[:2], [0, 10]), (history[:1], [])):
        card = hub.checkpoint_card(replace(info, history=points), "me/tiny")
        rows = re.findall(r"^\| (\d+) \| ([\d.]+) \| ([\d.]+) \|$", card, re.MULTILINE)
        assert [int(row[0]) for row in rows] == steps
        losses = {point.step: (point.train_loss_nats, point.val_loss_nats) for point in points}
        for step, *bits in rows:
            expected = [nats / math.log(2) for nats in losses[int(step)]]
            assert [float(each) for each in bits] == pytest.approx(expected, abs=1e-4)


def test_card_states_stored_reach_with_intervals(folder):
    info = checkpoint.describe(ROOT / "checkpoints/gru")
    card = hub.checkpoint_card(info, "me/tiny")
    facts = info.analyses.sections["gradient"].facts
    low, high = facts["half_life_low"], facts["half_life_high"]
    half_life = f"{facts['half_life_chars']:.1f} ({low:.1f} to {high:.1f}) characters, at 4,096 positions"
    assert f"| half-life of the gradient, 95 % interval | {half_life} of the validation text |\n" in card
    context = info.analyses.sections["memory"].facts["ecl_chars"]
    assert f"| effective context at 0.01 nats, 95 % interval | {context} " in card
    assert "half-life" not in hub.checkpoint_card(checkpoint.describe(folder), "me/tiny")


def test_collection_card_lists_every_checkpoint():
    infos, _ = checkpoint.list_checkpoints(ROOT / "checkpoints")
    card = card_of.collection_card(infos, "me/lab")
    head = yaml.safe_load(card.split("---")[1])
    measured = [metric for result in head["model-index"][0]["results"] for metric in result["metrics"]]
    values = {metric["name"]: metric["value"] for metric in measured}
    assert len(values) == len(measured) == 2 * len(infos)
    for info in infos:
        bits = round(info.metrics["val_stream_nats"] / 0.6931471805599453, 4)
        assert f"| [{info.name}]({info.name}/README.md) | {info.cell} | {info.parameters:,} |" in card
        assert values[f"bits per character, stream, {info.name}"] == bits
    assert head["license"] == "mit" and {"transformer", "recurrent-neural-network", "lstm"} <= set(head["tags"])
