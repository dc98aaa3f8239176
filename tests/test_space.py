"""Publish the page as a Space on a fake Hub and serve its files."""

import gzip
import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from gradio_client import Client

from charrnn import checkpoint, hub
from charrnn.bench.app_process import serving
from tests.hub_client import ROOT, Server, write_checkpoint
from tests.node import node_json
from tests.small_models import SMALL, save_all

pytestmark = pytest.mark.process


@pytest.fixture
def folder(tmp_path) -> Path:
    return write_checkpoint(tmp_path / "tiny", seed=1, steps=[0, 10])


def test_space_holds_text_files_beside_checkpoints(server: Server, folder):
    missing, _, created, repeated = server.call(
        ["push_space", str(ROOT), "me/lab", "me/lab"],
        ["push", str(folder), "me/lab"],
        ["push_space", str(ROOT), "me/lab", "me/lab"],
        ["push_space", str(ROOT), "me/lab", "me/lab"],
    )
    assert missing["error"].startswith("me/lab was not found")
    assert created["commit"] == repeated["commit"], "no commit without a change"
    assert created["url"] == f"{server.address}/spaces/me/lab"
    names = server.files("spaces/me/lab")
    assert {
        "app.py",
        "README.md",
        "requirements.txt",
        "charrnn/ui/components/page_state.js",
        "docs/study.json",
    } <= names
    assert not {name for name in names if name.endswith((".safetensors", ".png", ".pyc")) or name.startswith("tests")}
    assert server.request("/api/spaces/me/lab/runtime")["hardware"]["current"] == "cpu-basic"
    variables = server.request("/api/models/spaces/me/lab/variables", {"key": "a", "value": "b"})
    assert variables["CHARRNN_CHECKPOINTS"] == {"key": "CHARRNN_CHECKPOINTS", "value": "me/lab"}


def test_space_replaces_older_files(server: Server, folder):
    server.call(["push", str(folder), "me/lab"], ["push_space", str(ROOT), "me/lab", "me/lab"])
    line = {"key": "file", "value": {"path": "theirs.txt", "content": ""}}
    server.request("/api/models/spaces/me/lab/commit/main", line)
    assert "theirs.txt" in server.files("spaces/me/lab")
    (done,) = server.call(["push_space", str(ROOT), "me/lab", "me/lab"])
    assert done["notices"] == ["deleting files that are no longer published: theirs.txt"]
    assert "theirs.txt" not in server.files("spaces/me/lab")


def test_zero_gpu_space_has_hardware_and_torch(server: Server, folder):
    server.call(
        ["push", str(folder), "me/lab"],
        ["push_space", str(ROOT), "me/zero", "me/lab", {"zero_gpu": True, "private": True}],
    )
    assert server.request("/api/spaces/me/zero/runtime")["hardware"]["requested"] == "zero-a10g"
    assert server.request("/api/models/spaces/me/zero")["private"] is True
    assert "torch==2.11.0" in server.content("spaces/me/zero", "requirements.txt").decode().split()


def test_static_space_runs_the_published_networks(server: Server, tmp_path):
    root = tmp_path / "checkpoints"
    write_checkpoint(root / "rnn", seed=1, steps=[0, 10])
    publish = ["main", "publish", "static", "me/page", "--checkpoints", str(root)]
    _, listed, static, again = server.call(["push", str(root), "me/models"], [*publish, "--dry-run"], publish, publish)
    assert static["code"] == 0 and static["out"] == again["out"], "no commit without a change"
    names = server.files("spaces/me/page")
    assert names - {".gitattributes"} == {line.split()[-1] for line in listed["out"].splitlines()[:-1]}
    head = server.content("spaces/me/page", "README.md").decode().split("---")[1]
    assert yaml.safe_load(head)["sdk"] == "static" and len(yaml.safe_load(head)["short_description"]) <= 60

    site = json.loads(server.content("spaces/me/page", "charrnn/site.json"))
    network = tmp_path / "network"
    network.write_bytes(gzip.decompress(server.content("spaces/me/page", f"charrnn/{site['networks']['rnn']['10']}")))
    (found,) = server.call(["resolve", "me/models"])
    model = checkpoint.load(Path(found["folder"]) / "rnn").model
    ids = [1, 0, 2, 2, 1] * 8
    outputs = node_json("run_network.mjs", {"file": str(network), "ids": ids})
    expected = model.decoder().read(ids).logits
    assert np.abs(np.array([output["logits"] for output in outputs]) - expected).max() < 1e-9


def test_space_files_are_enough_to_serve(tmp_path):
    for path, part in hub.space_release(ROOT, "me/lab", "me/lab").files.items():
        target = tmp_path / "space" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(part if isinstance(part, bytes) else part.read_bytes())
    save_all(tmp_path / "checkpoints")
    environment = {"SPACE_ID": "me/lab", "CHARRNN_CHECKPOINTS": str(tmp_path / "checkpoints"), "PYTHONPATH": ""}
    environment |= {"CHARRNN_CACHE": str(tmp_path / "no-corpus"), "HF_HUB_OFFLINE": "1"}
    command = [str(tmp_path / "space/app.py"), "--host", "127.0.0.1", "--port"]
    with serving(command, **environment) as (address, _):
        page = Client(address, verbose=False)
        text = page.predict(prompt="ROMEO:", characters=20, checkpoint="gru", seed=7, api_name="/write")
        assert {model["name"] for model in page.predict(api_name="/models")} == set(SMALL)
    trained = checkpoint.load(tmp_path / "checkpoints/gru")
    ids = trained.model.sample(torch.tensor([trained.vocab.encode("ROMEO:")]), 20, temperature=0.8, seed=7)
    assert text == trained.vocab.decode(ids[0].tolist())


@pytest.fixture
def project(tmp_path) -> Path:
    """A minimal project in a hidden folder, with private files beside it."""
    root = tmp_path / ".work/lab"
    (root / "charrnn/ui/components").mkdir(parents=True)
    (root / "docs").mkdir()
    for name in ("app.py", "requirements.txt", "charrnn/ui/components/page_state.js", "docs/results.md"):
        (root / name).write_text("text\n")
    (root / "README.md").write_text("---\nsdk: gradio\n---\n")
    (tmp_path / "secret.py").write_text("the password")
    subprocess.run(["git", "init", "-q", str(root)], check=True)
    track(root)
    return root


def track(root: Path) -> None:
    """Let git track every file."""
    subprocess.run(["git", "-C", str(root), "add", "-Af"], check=True)


def files_of(root: Path) -> set[str]:
    """The files of a Space release."""
    return set(hub.space_release(root, "me/lab", "me/lab").files)


def test_untracked_files_are_not_in_space(project):
    before = files_of(project)
    for name in ("charrnn/mine.py", "docs/diary.md", "docs/keys.json"):
        (project / name).write_text("private\n")
    (project / "docs/link.md").symlink_to(project / "docs/diary.md")
    assert files_of(project) == before
    shutil.rmtree(project / ".git")
    with pytest.raises(hub.HubError, match="is no git checkout"):
        hub.space_release(project, "me/lab", "me/lab")


def test_foreign_space_is_refused(server: Server, folder):
    server.call(["push", str(folder), "me/lab"])
    server.request("/api/repos/create", {"name": "theirs", "type": "space"})
    for name in ("app.py", "README.md"):
        line = {"key": "file", "value": {"path": name, "content": ""}}
        server.request("/api/models/spaces/me/theirs/commit/main", line)
    before = server.request("/counts")
    for flags in ([], ["--dry-run"]):
        result = server.main("publish", "space", "me/theirs", "--checkpoints", "me/lab", *flags)
        assert result.code == 1 and "me/theirs is a Space of another project, with 2 files" in result.err
    assert server.request("/counts") | {"info": 0} == before | {"info": 0}
    (done,) = server.call(["push_space", str(ROOT), "me/theirs", "me/lab", {"replace": True}])
    assert "commit" in done and "charrnn/__init__.py" in server.files("spaces/me/theirs")


def test_static_page_of_another_project_is_not_replaced(server: Server, folder):
    server.call(["push", str(folder), "me/lab"])
    server.request("/api/repos/create", {"name": "page", "type": "space"})
    for name in ("README.md", "index.html", "style.css"):
        line = {"key": "file", "value": {"path": name, "content": ""}}
        server.request("/api/models/spaces/me/page/commit/main", line)
    result = server.main("publish", "space", "me/page", "--checkpoints", "me/lab")
    assert result.code == 1 and "me/page is a Space of another project, with 3 files" in result.err


def test_hidden_files_are_not_in_space(project):
    public = {"app.py", "requirements.txt", "README.md", "charrnn/ui/components/page_state.js", "docs/results.md"}
    assert files_of(project) == public
    for name in (".env", "charrnn/.env", "charrnn/.env.py", "docs/.notes.md", "docs/token", "charrnn/ui/mine.txt"):
        (project / name).write_text("HF_TOKEN=hf_secret")
    (project / "charrnn/.git").mkdir()
    (project / "charrnn/.git/hook.py").write_text("HF_TOKEN=hf_secret")
    subprocess.run(["git", "-C", str(project), "add", "-f", "charrnn/.env.py", "docs/.notes.md"], check=True)
    assert files_of(project) == public


@pytest.mark.parametrize("name", ["app.py", "charrnn/ui/more.py", "docs/more.md"])
@pytest.mark.parametrize("target", ["../../secret.py", ".env"])
def test_link_targets_are_not_in_space(project, name, target):
    (project / ".env").write_text("HF_TOKEN=hf_secret")
    (project / name).unlink(missing_ok=True)
    (project / name).symlink_to(project / target)
    subprocess.run(["git", "-C", str(project), "add", name], check=True)
    with pytest.raises(hub.HubError, match="is a link out of the project: put the file itself there"):
        hub.space_release(project, "me/lab", "me/lab")


def test_linked_folder_is_not_in_space(project):
    (project / "docs").rename(project.parent / "docs")
    (project / "docs").symlink_to(project.parent / "docs")
    with pytest.raises(hub.HubError, match="docs/results.md is a link out of the project"):
        hub.space_release(project, "me/lab", "me/lab")
    track(project)
    assert not [path for path in files_of(project) if path.startswith("docs")]


def test_link_within_project_is_in_space(project):
    (project / "charrnn/link.js").symlink_to(project / "charrnn/ui/components/page_state.js")
    track(project)
    assert "charrnn/link.js" in files_of(project)


def test_space_files_are_accepted_by_git():
    release = hub.space_release(ROOT, "me/lab", "me/models@v3", zero_gpu=True)
    contents = {path: part if isinstance(part, bytes) else part.read_bytes() for path, part in release.files.items()}
    for path, content in contents.items():
        assert content.decode("utf-8") is not None and b"\0" not in content and len(content) < 10 * 1024 * 1024, path
    head = yaml.safe_load(contents["README.md"].decode().split("---")[1])
    assert head["models"] == ["me/models"] and head["sdk"] == "gradio" and head["app_file"] == "app.py"
    assert '"https://huggingface.co/spaces/me/lab\\"' in contents["docs/own_text.ipynb"].decode()
    assert b"owner/name" not in contents["docs/own_text.ipynb"]
    assert "torch==2.11.0" in contents["requirements.txt"].decode().splitlines()
    plain = hub.space_release(ROOT, "me/lab", "me/models").files["requirements.txt"]
    assert isinstance(plain, Path) and plain == ROOT / "requirements.txt"
