"""A fresh clone trains, publishes and serves; command, API, page write one text."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from gradio_client import Client
from playwright.sync_api import BrowserContext, expect

from charrnn.bench.app_process import serving
from tests.hub_client import ROOT, TOKEN, Server
from tests.trained_checkpoints import TEXT
from tests.ui.conftest import open_page
from tests.ui.page_actions import write

pytestmark = pytest.mark.process

PROMPT, CHARS, TEMPERATURE, SEED = "ROMEO:", 80, 0.8, 5
SMALL = "--cell gru --steps 200 --batch 4 --seq-len 24 --hidden-dim 16 --threads 1"


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A local clone of the committed files."""
    if not (ROOT / ".git").exists():
        pytest.skip("this is no git repository but an unpacked archive: there is nothing to clone")
    (tmp_path / "gitconfig").write_text("[safe]\n\tdirectory = *\n")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    environment["GIT_CONFIG_GLOBAL"] = str(tmp_path / "gitconfig")
    command = ["git", "clone", "--quiet", str(ROOT), str(tmp_path / "lab")]
    cloned = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert cloned.returncode == 0, cloned.stderr
    return tmp_path / "lab"


def test_fresh_clone_trains_publishes_and_serves_one_text(
    context: BrowserContext, clone: Path, server: Server, tmp_path: Path
):
    def script(line: str) -> str:
        run = subprocess.run(
            [sys.executable, *line.split()],
            cwd=clone,
            env=os.environ | server.environment | {"PYTHONPATH": ""},
            capture_output=True,
            text=True,
        )
        assert run.returncode == 0, run.stderr
        assert TOKEN not in run.stdout + run.stderr
        return run.stdout

    (tmp_path / "text.txt").write_text(TEXT, encoding="utf-8")
    output = script(f"scripts/train.py {SMALL} --data {tmp_path}/text.txt --out runs/mine --push-to-hub me/lab")
    commit = server.request("/api/models/me/lab")["sha"]
    assert output.splitlines()[-1] == f"{server.address}/me/lab at commit {commit}, tag v1"
    sampling = f"--prompt {PROMPT} --chars {CHARS} --temperature {TEMPERATURE} --seed {SEED}"
    local = script(f"scripts/sample.py --checkpoint runs/mine {sampling}").removesuffix("\n")
    assert re.fullmatch(rf"{PROMPT}.{{{CHARS}}}", local, re.DOTALL)

    another_user = {"HF_TOKEN": "", "HF_HOME": str(tmp_path / "empty"), "CHARRNN_CACHE": str(tmp_path / "no-corpus")}
    command = [str(clone / "app.py"), "--checkpoints", "me/lab", "--port"]
    with serving(command, **server.environment | another_user | {"PYTHONPATH": ""}) as (address, _):
        client = Client(address, verbose=False)
        (model,) = client.predict(api_name="/models")
        by_endpoint = client.predict(
            prompt=PROMPT,
            checkpoint=model["name"],
            characters=CHARS,
            temperature=TEMPERATURE,
            seed=SEED,
            api_name="/write",
        )
        assert by_endpoint == local
        page = open_page(context, address)
        expect(page.locator(".cr-origin-where")).to_have_text(f"me/lab at commit {commit[:8]}")
        expect(page.locator(".cr-origin-where")).to_have_attribute("title", commit)
        assert write(page, seed=SEED, characters=CHARS, prompt=PROMPT) == local
