"""Push to and fetch from a fake Hub; errors are one line."""

from pathlib import Path

import pytest
import yaml
from httpx2 import Request, Response
from huggingface_hub.errors import HfHubHTTPError

from charrnn import checkpoint, hub
from charrnn.analysis_record import AnalysisRecord
from charrnn.checkpoint import describe, write_analyses
from charrnn.hub.errors import as_hub_errors, with_retries
from tests.hub_client import RNN, ROOT, write_checkpoint

pytestmark = pytest.mark.process


@pytest.fixture
def folder(tmp_path) -> Path:
    folder = write_checkpoint(tmp_path / "tiny", seed=1, steps=[0, 10])
    write_analyses(folder, describe(folder).sha256, {"memory": AnalysisRecord({"ecl_chars": 31})})
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("without_xet", ["", "1"], ids=["xet", "lfs"])
def test_push_round_trip_is_byte_identical(server, folder, without_xet):
    pushed, found = server.call(
        ["push", str(folder), "me/tiny"], ["resolve", "me/tiny"], HF_HUB_DISABLE_XET=without_xet
    )
    assert pushed["url"] == f"{server.address}/me/tiny"
    assert found["commit"] == pushed["commit"]
    listed = {"model.safetensors", "config.json", "history.json", "passage.txt", "analyses.json"}
    listed |= {"steps/000000.safetensors", "steps/000010.safetensors"}
    local = contents(folder)
    assert contents(Path(found["folder"])) == {name: local[name] for name in listed}
    assert server.files("me/tiny") == listed | {".gitattributes", "README.md", "graph.json"}, (
        "no other file is uploaded"
    )
    assert (next(server.store.rglob("*"), None) is None) == bool(without_xet), "uploaded by Xet or by LFS"


FAULTS = [
    ("repos_create", [401, "", "Invalid credentials in Authorization header"], "hf auth login"),
    ("repos_create", [402, "", "no"], "paid plan"),
    ("repos_create", [403, "", "no"], "write access"),
    ("preupload", [403, "", "no"], "write access"),
    ("xet_token", [403, "", "no"], "write access"),
    ("make_commit", [412, "", "no"], "in the meantime"),
    ("make_commit", [429, "", "no", {"Retry-After": "0"}], "too many requests"),
    ("make_commit", [500, "", "the disk is full", {"Retry-After": "0"}], "answered 500: the disk is full"),
    ("make_tag", [403, "", "no"], "write access"),
    ("refs", [500, "", "no tags today", {"Retry-After": "0"}], "answered 500: no tags today"),
]
LFS_FAULTS = [
    ("lfs_batch", [403, "", "no"], "write access"),
    ("lfs_put", [403, "", "no"], "write access"),
    ("lfs_put", [413, "", "too much"], "answered 413: too much"),
]


@pytest.mark.parametrize(("faults", "without_xet"), [(FAULTS, ""), (LFS_FAULTS, "1")], ids=["xet", "lfs"])
def test_failed_push_is_explained_in_one_line(server, folder, faults, without_xet):
    push = ["push", str(folder), "me/tiny"]
    calls = [call for route, fault, _ in faults for call in (["fail", {route: fault}], push)]
    *outcomes, recovered = server.call(*calls, ["fail", {}], push, HF_HUB_DISABLE_XET=without_xet)
    for outcome, (*_, reason) in zip(outcomes, faults, strict=True):
        assert outcome["error"].startswith("me/tiny: ") and reason in outcome["error"]
        assert "\n" not in outcome["error"]
    assert recovered["url"] == f"{server.address}/me/tiny"


XET = "Network error: Request error: HTTP status {}, domain: http://127.0.0.1:40403/api/models/me/tiny"


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (XET.format("client error (403 Forbidden)"), "write access"),
        (XET.format("client error (429 Too Many Requests)"), "too many requests"),
        (XET.format("server error (500 Internal Server Error)"), "the Hub answered 500"),
        ("Network error: tcp connect error, domain: http://127.0.0.1:40403", "cannot be reached"),
    ],
)
def test_xet_errors_are_explained(message, reason):
    with pytest.raises(hub.HubError, match=reason), as_hub_errors("me/tiny"):
        raise ConnectionError(message)


def test_offline_push_names_variable(server, folder):
    (refused,) = server.call(["push", str(folder), "me/tiny"], HF_HUB_OFFLINE="1")
    assert refused["error"] == "me/tiny: HF_HUB_OFFLINE disables requests to the Hub: unset it and try again"


@pytest.mark.parametrize(
    ("path", "times"), [("/me/tiny.git/info/lfs/objects/batch", 1), ("/api/models/me/tiny/commit/main", 3)]
)
def test_library_retries_are_not_repeated(path, times):
    answer = Response(500, headers={"Retry-After": "0"}, request=Request("POST", f"http://hub{path}"))
    attempts = iter([HfHubHTTPError("no", response=answer)] * 5)

    def attempt():
        raise next(attempts)

    with pytest.raises(HfHubHTTPError):
        with_retries(attempt, lambda line: None)
    assert len(list(attempts)) == 5 - times


def test_local_folder_has_no_commit(folder):
    assert hub.resolve(str(folder)) == folder
    assert hub.commit_of(folder) is None


def test_folder_without_checkpoint_is_not_pushed(tmp_path):
    with pytest.raises(checkpoint.CheckpointError):
        hub.push(tmp_path, "me/tiny")


CARDS = {
    "rnn": ({}, ["vanilla recurrent network", "one vector of 4 numbers", "layer_norm False"]),
    "gru": ({}, ["gated recurrent unit (GRU)", "one vector of 4 numbers"]),
    "lstm": ({"layer_norm": True}, ["long short-term memory (LSTM)", "two vectors of 4 numbers", "layer_norm True"]),
    "minigpt": (
        {"hidden_dim": 8, "layers": 2, "heads": 2, "context": 6},
        ["Transformer", "the last 6 characters in each of 2 layers", "layers 2, heads 2, context 6"],
    ),
}


@pytest.mark.parametrize("cell", CARDS)
def test_model_card_describes_its_network(tmp_path, cell):
    config, facts = CARDS[cell]
    folder = write_checkpoint(tmp_path, 1, [], RNN | config | {"cell": cell})
    card = hub.checkpoint_card(checkpoint.describe(folder), "me/tiny")
    families = {"transformer", "recurrent-neural-network"}
    tags = set(yaml.safe_load(card.split("---")[1])["tags"])
    assert {cell, "character-level"} <= tags
    assert families & tags == {"transformer" if cell == "minigpt" else "recurrent-neural-network"}
    assert all(fact in card for fact in facts)
    names = {"vanilla recurrent network", "(GRU)", "(LSTM)", "Transformer"}
    assert sum(name in card for name in names) == 1, "one architecture is named"


def test_retry_line_works_where_pasted(tmp_path, monkeypatch):
    script, python = ROOT / "scripts/publish.py", tmp_path / "my env/python"
    python.parent.mkdir()
    python.touch(mode=0o755)
    monkeypatch.setattr("sys.executable", str(python))
    monkeypatch.chdir(ROOT)
    line = f"'{python}' scripts/publish.py checkpoints me/a --folder 'my runs/a'"
    assert hub.retry_line(script, Path("my runs/a"), "me/a") == line
    assert hub.retry_line(script, Path("my runs/a"), "me/a", private=True) == f"{line} --private"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(python.parent))
    assert hub.retry_line(script, Path("a"), "me/a") == f"python {script} checkpoints me/a --folder a"
