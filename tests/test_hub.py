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
    here = contents(folder)
    assert contents(Path(found["folder"])) == {name: here[name] for name in listed}
    made = {"graph.json", ".gitattributes", "README.md"}
    assert server.files("me/tiny") == listed | made, "and nothing else left the machine"
    assert (next(server.store.rglob("*"), None) is None) == bool(without_xet), "the other way of uploading was taken"


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
    calls = [
        call for route, fault, _ in faults for call in (["fail", {route: fault}], ["push", str(folder), "me/tiny"])
    ]
    *outcomes, recovered = server.call(
        *calls, ["fail", {}], ["push", str(folder), "me/tiny"], HF_HUB_DISABLE_XET=without_xet
    )
    for outcome, (*_, said) in zip(outcomes, faults, strict=True):
        assert outcome["error"].startswith("me/tiny: ") and said in outcome["error"]
        assert "\n" not in outcome["error"]
    assert recovered["url"] == f"{server.address}/me/tiny"


XET = "Network error: Request error: HTTP status {}, domain: http://127.0.0.1:40403/api/models/me/tiny"


@pytest.mark.parametrize(
    ("told", "said"),
    [
        (XET.format("client error (403 Forbidden)"), "write access"),
        (XET.format("client error (429 Too Many Requests)"), "too many requests"),
        (XET.format("server error (500 Internal Server Error)"), "the Hub answered 500"),
        ("Network error: tcp connect error, domain: http://127.0.0.1:40403", "cannot be reached"),
    ],
)
def test_xet_errors_are_explained(told, said):
    with pytest.raises(hub.HubError, match=said), as_hub_errors("me/tiny"):
        raise ConnectionError(told)


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


@pytest.mark.parametrize(
    ("config", "family", "facts"),
    [
        (RNN, "recurrent-neural-network", ["vanilla recurrent network", "one vector of 4 numbers", "layer_norm False"]),
        (
            {"cell": "gru", "hidden_dim": 4},
            "recurrent-neural-network",
            ["gated recurrent unit (GRU)", "one vector of 4 numbers"],
        ),
        (
            {"cell": "lstm", "hidden_dim": 4, "layer_norm": True},
            "recurrent-neural-network",
            ["long short-term memory (LSTM)", "two vectors of 4 numbers", "layer_norm True"],
        ),
        (
            {"cell": "minigpt", "hidden_dim": 8, "layers": 2, "heads": 2, "context": 6},
            "transformer",
            ["Transformer", "the last 6 characters in each of 2 layers", "layers 2, heads 2, context 6"],
        ),
    ],
    ids=["rnn", "gru", "lstm", "minigpt"],
)
def test_model_card_describes_its_network(tmp_path, config, family, facts):
    card = hub.checkpoint_card(checkpoint.describe(write_checkpoint(tmp_path, 1, [], config)), "me/tiny")
    tags = yaml.safe_load(card.split("---")[1])["tags"]
    assert {family, config["cell"], "character-level"} <= set(tags)
    assert len({"transformer", "recurrent-neural-network"} & set(tags)) == 1
    for fact in facts:
        assert fact in card
    names = {"vanilla recurrent network", "(GRU)", "(LSTM)", "Transformer"}
    assert sum(name in card for name in names) == 1, "and of no other"


def test_retry_line_works_where_pasted(tmp_path, monkeypatch):
    script, python = ROOT / "scripts/publish.py", tmp_path / "my env/python"
    python.parent.mkdir()
    python.touch(mode=0o755)
    monkeypatch.setattr("sys.executable", str(python))
    monkeypatch.chdir(ROOT)
    again = f"'{python}' scripts/publish.py checkpoints me/a --folder 'my runs/a'"
    assert hub.retry_line(script, Path("my runs/a"), "me/a") == again
    assert hub.retry_line(script, Path("my runs/a"), "me/a", private=True) == f"{again} --private"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(python.parent))
    elsewhere = hub.retry_line(script, Path("a"), "me/a")
    assert elsewhere == f"python {script} checkpoints me/a --folder a"
