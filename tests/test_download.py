"""Load from a fake Hub: cache, refusals and notices."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub.hf_api import ModelInfo

from charrnn import hub
from charrnn.commands import app
from charrnn.hub import download
from charrnn.paths import CHECKPOINTS
from charrnn.ui.server import checkpoint_store
from charrnn.ui.server.checkpoint_store import Store
from charrnn.ui.sidebar.sidebar import describe_models
from tests.hub_client import Server, write_checkpoint
from tests.small_models import save_all

pytestmark = pytest.mark.process

BUSY = {"Retry-After": "0"}


@pytest.fixture
def folder(tmp_path) -> Path:
    return write_checkpoint(tmp_path / "tiny", seed=1, steps=[0])


def commit_size(server: Server, repo_id: str, path: str, size: int) -> None:
    """Commit a file of this announced size."""
    lines = [{"key": "header", "value": {"summary": "large"}}]
    lines.append({"key": "lfsFile", "value": {"path": path, "algo": "sha256", "oid": f"{size:064x}", "size": size}})
    server.post(f"/api/models/{repo_id}/commit/main", "\n".join(map(json.dumps, lines)).encode())


def test_unreachable_hub_serves_cached_checkpoints(server: Server, folder, tmp_path):
    pushed, found = server.call(["push", str(folder), "me/tiny"], ["resolve", "me/tiny"])
    assert (found["commit"], found["notice"]) == (pushed["commit"], "")
    commit, cached = pushed["commit"], {"folder": found["folder"], "commit": pushed["commit"]}
    notice = f"The Hub cannot be reached just now: these are the networks as last fetched, commit {commit[:8]}."
    busy = [["fail", {"info": [status, "", "no", BUSY]}] for status in (429, 500, 503)]
    calls = [call for fault in busy for call in (fault, ["resolve", "me/tiny"])]
    for outcome in server.call(*calls):
        assert outcome == cached | {"notice": notice}
    server.kill()
    dead, pinned, unknown, push = server.call(
        ["resolve", "me/tiny"],
        ["resolve", f"me/tiny@{commit}"],
        ["resolve", "me/none"],
        ["push", str(folder), "me/tiny"],
    )
    assert dead == pinned == cached | {"notice": notice}
    assert (unknown["kind"], unknown["user_message"]) == ("network", "The Hub cannot be reached just now")
    assert "cannot be reached" in unknown["error"] and "cannot be reached" in push["error"]
    offline, bundled = server.call(
        ["resolve", "me/tiny"], ["fetch_with_fallback", "me/none", str(tmp_path), False], HF_HUB_OFFLINE="1"
    )
    assert offline == cached | {"notice": notice}
    assert (bundled["folder"], bundled["commit"]) == (str(tmp_path), None)
    assert bundled["notice"] == "The Hub cannot be reached just now. These are the networks that come with the lab."


def test_newer_commit_is_fetched_and_revision_stays(server: Server, folder, tmp_path):
    other = write_checkpoint(tmp_path / "other", seed=2, steps=[])
    one, first, two, second, tagged = server.call(
        ["push", str(folder), "me/tiny"],
        ["resolve", "me/tiny"],
        ["push", str(other), "me/tiny"],
        ["resolve", "me/tiny"],
        ["resolve", "me/tiny@v1"],
    )
    assert (first["commit"], second["commit"], tagged["commit"]) == (one["commit"], two["commit"], one["commit"])
    before = server.request("/counts")["resolve"]
    server.call(["resolve", "me/tiny"], ["resolve", "me/tiny@v1"])
    assert server.request("/counts")["resolve"] == before, "cached files were fetched again"


def test_files_of_unknown_size_are_not_downloaded(server: Server, folder):
    server.call(["push", str(folder), "me/deep"])
    commit_size(server, "me/deep", "a/b/model.safetensors", 1 << 40)
    (found,) = server.call(["resolve", "me/deep"])
    files = {path.relative_to(found["folder"]).as_posix() for path in Path(found["folder"]).rglob("*.safetensors")}
    assert files == {"model.safetensors", "steps/000000.safetensors"}


def test_oversized_checkpoint_hides_no_other(server: Server, tmp_path):
    for name in ("gru", "rnn"):
        write_checkpoint(tmp_path / "all" / name, seed=1, steps=[0])
    server.call(["push", str(tmp_path / "all"), "me/lab"])
    commit_size(server, "me/lab", "rnn/steps/000010.safetensors", 1 << 40)
    commit_size(server, "me/lab", "model.safetensors", 1 << 41)
    (found,) = server.call(["resolve", "me/lab"])
    loaded = {path.relative_to(found["folder"]).as_posix() for path in Path(found["folder"]).rglob("*.safetensors")}
    assert loaded == {"gru/model.safetensors", "gru/steps/000000.safetensors"}
    assert found["notice"] == (
        f"Not all of me/lab is here: model.safetensors has {1 << 41} bytes, more than {1 << 30}; "
        f"rnn/steps/000010.safetensors has {1 << 40} bytes, more than {1 << 30}."
    )
    server.kill()
    (cached,) = server.call(["resolve", "me/lab"])
    assert cached["folder"] == found["folder"] and "as last fetched" in cached["notice"]


def test_moving_repository_is_listed_again(monkeypatch, tmp_path):
    folders = [tmp_path / "snapshots" / sha for sha in ("b" * 40, "c" * 40, "c" * 40)]
    for folder in folders:
        write_checkpoint(folder, seed=1, steps=[])
    seen = [ModelInfo(id="me/tiny", sha=sha, siblings=[]) for sha in ("a" * 40, "b" * 40, "c" * 40)]
    monkeypatch.setattr(download.HfApi, "model_info", lambda *args, **kwargs: seen.pop(0))
    monkeypatch.setattr(download, "snapshot_download", lambda *args, **kwargs: str(folders.pop(0)))
    origin = hub.fetch("me/tiny")
    assert (origin.commit, origin.notice) == ("c" * 40, "")


@pytest.mark.parametrize(
    ("source", "fault", "kind", "user_message"),
    [
        ("me/none", {}, "missing", "me/none is not on the Hub, or is not public"),
        ("me/tiny@v9", {}, "revision", "me/tiny@v9 is on the Hub, but not in this version"),
        ("me/tiny", {"info": [403, "GatedRepo", "no"]}, "gated", "me/tiny is on the Hub, but only users"),
        ("me/tiny", {"resolve": [403, "GatedRepo", "no"]}, "gated", "me/tiny is on the Hub, but only users"),
        ("me/tiny", {"info": [401, "", "no"]}, "token", "me/tiny on the Hub does not accept this page's token"),
        ("me/tiny", {"info": [429, "", "no", BUSY]}, "busy", "The Hub is too busy just now"),
        ("me/empty", {}, "empty", "me/empty on the Hub holds no network of this lab"),
        ("me/large", {}, "large", "me/large on the Hub is larger than this page takes"),
        ("me/many", {}, "large", "me/many on the Hub is larger than this page takes"),
        ("a/b/c", {}, "name", "'a/b/c' is not the name of a repository on the Hub"),
    ],
    ids=str,
)
def test_hub_errors_are_reported_by_kind(published: Server, tmp_path, source, fault, kind, user_message):
    published.request("/faults", fault)
    before = published.request("/counts").get("resolve", 0)
    calls = ["resolve", source], ["fetch_with_fallback", source, "/bundled", True]
    refused, fallback = published.call(*calls, HF_HOME=str(tmp_path))
    assert refused["kind"] == kind and refused["user_message"].startswith(user_message)
    assert fallback["folder"] == "/bundled" and fallback["notice"] == (
        f"{refused['user_message']}, and no network came with this page: look again in a moment."
    )
    if kind == "large":
        assert published.request("/counts").get("resolve", 0) == before, "a part was downloaded"


@pytest.fixture(scope="module")
def published(tmp_path_factory) -> Iterator[Server]:
    """A server with a checkpoint and with empty, large and many-file repositories."""
    server = Server(tmp_path_factory.mktemp("published"))
    folder = write_checkpoint(server.folder / "tiny", seed=1, steps=[])
    server.call(["push", str(folder), "me/tiny"])
    for name in ("empty", "large", "many"):
        server.request("/api/repos/create", {"name": name})
    commit_size(server, "me/large", "rnn/model.safetensors", 1 << 40)
    for i in range(5):
        commit_size(server, "me/many", f"{i}/model.safetensors", 1 << 30)
    yield server
    server.kill()


def test_checkpoints_flag_precedes_environment(monkeypatch, tmp_path):
    named, variable = tmp_path / "named", tmp_path / "variable"
    named.mkdir()
    variable.mkdir()
    assert app.checkpoints(None).folder == CHECKPOINTS
    monkeypatch.setenv("CHARRNN_CHECKPOINTS", str(variable))
    assert app.checkpoints(None).folder == variable
    assert app.checkpoints(str(named)).folder == named
    assert app.parse([]).checkpoints is None


def test_wrong_name_ends_command_but_not_space(monkeypatch):
    with pytest.raises(hub.HubError, match="neither a folder nor a Hub repository"):
        app.checkpoints("a/b/c")
    monkeypatch.setenv("CHARRNN_CHECKPOINTS", "a/b/c")
    origin = app.checkpoints(None)
    assert origin.folder == CHECKPOINTS
    assert origin.notice == (
        "'a/b/c' is not the name of a repository on the Hub. These are the networks that come with the lab."
    )


@pytest.fixture
def hub_store(tmp_path, monkeypatch) -> Store:
    """A store of checkpoints from a commit on the Hub."""
    first = save_all(tmp_path / "models--me--lab/snapshots" / ("a" * 40))
    return Store(first, hub.Origin(first, "me/lab@v1", "a" * 40))


def set_answer(monkeypatch, answer) -> None:
    """Let the Hub answer the next request so."""
    monkeypatch.setattr(checkpoint_store, "REFRESH_S", -1e9)

    def fetch(source):
        assert source == "me/lab@v1"
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(checkpoint_store, "fetch", fetch)


def test_newer_checkpoints_are_offered_after_rescan(hub_store, tmp_path, monkeypatch):
    second = tmp_path / "models--me--lab/snapshots" / ("b" * 40)
    write_checkpoint(second / "lstm", seed=1, steps=[])
    loaded = hub_store.load("gru")
    assert json.loads(describe_models(hub_store, loaded))["origin"] == {
        "where": "me/lab at commit aaaaaaaa",
        "commit": "a" * 40,
        "notice": "",
    }
    set_answer(monkeypatch, hub.Origin(hub_store.root, "me/lab@v1", "a" * 40))
    assert hub_store.rescan() == "Commit aaaaaaaa is the newest."
    set_answer(monkeypatch, hub.Origin(second, "me/lab@v1", "b" * 40))
    assert hub_store.rescan() == "Now at commit bbbbbbbb."
    assert [info.name for info in hub_store.checkpoints()] == ["lstm"]
    nearest = hub_store.nearest_checkpoint(loaded.info.name, loaded.checkpoint.step)
    assert nearest is hub_store.load("lstm"), "a deleted model is replaced by the first one"
    page = json.loads(describe_models(hub_store, nearest, said="Now at commit bbbbbbbb.", refreshed=3))
    assert (page["refreshed"], page["said"], page["chosen"]["name"]) == (3, "Now at commit bbbbbbbb.", "lstm")
    assert page["origin"]["where"] == "me/lab at commit bbbbbbbb"


def test_pinned_commit_stays(hub_store, monkeypatch):
    fixed = hub.Origin(hub_store.root, f"me/lab@{'a' * 40}", "a" * 40)
    assert hub_store.origin.pinned == fixed.source == fixed.pinned
    store = Store(hub_store.root, fixed)
    monkeypatch.setattr(checkpoint_store, "fetch", {fixed.source: fixed}.__getitem__)
    store._checked_at = -1e9
    assert store.rescan() == "The app was started with commit aaaaaaaa: restart it for newer networks."
    assert json.loads(describe_models(store, None))["origin"]["where"] == "me/lab at commit aaaaaaaa"
    assert hub.Origin(hub_store.root, "checkpoints").pinned == "checkpoints"


def test_failing_hub_keeps_checkpoints(hub_store, monkeypatch):
    before = hub_store.checkpoints()
    for kind, start in {
        "network": "The Hub cannot be reached just now",
        "gated": "me/lab@v1 is on the Hub, but",
    }.items():
        set_answer(monkeypatch, hub.HubError("me/lab@v1: no", kind))
        assert hub_store.rescan().startswith(start) and hub_store.rescan().endswith(": the networks stay as they are.")
    assert hub_store.checkpoints() == before and hub_store.origin.commit == "a" * 40


def test_concurrent_rescans_ask_hub_once(hub_store, monkeypatch):
    set_answer(monkeypatch, hub.Origin(hub_store.root, "me/lab@v1", "a" * 40))
    monkeypatch.setattr(checkpoint_store, "REFRESH_S", 30)
    hub_store._checked_at = -1e9
    assert [hub_store.rescan() for _ in range(3)] == [
        "Commit aaaaaaaa is the newest.",
        *["Checked a moment ago: try again in half a minute."] * 2,
    ]


def test_page_without_models_says_why(tmp_path, monkeypatch):
    notice = "The Hub cannot be reached just now, and no network came with this page: look again in a moment."

    def fail(source):
        raise hub.HubError(f"{source}: no", "network")

    monkeypatch.setattr(download, "fetch", fail)
    origin = hub.fetch_with_fallback("me/lab", tmp_path)
    models = json.loads(describe_models(Store(origin.folder, origin), None))
    assert models == {"models": [], "problem": notice, "origin": {"where": "me/lab", "commit": "", "notice": notice}}
    assert os.fspath(tmp_path) not in json.dumps(models)


def test_local_folder_has_no_origin(tmp_path):
    store = Store(save_all(tmp_path))
    assert json.loads(describe_models(store, store.load("rnn")))["origin"] is None
