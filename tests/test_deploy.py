"""Files and flags named in deploy/ exist; the container runs without privileges."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from fnmatch import fnmatch

import pytest
from torch.distributed import run

from charrnn import hub
from charrnn.commands import app, publish, sweep, train_flags
from charrnn.ui.server.middleware import TEXT_CALL
from charrnn.ui.server.request_body import MAX_BYTES
from tests.cli import ROOT
from tests.fake_hub import TOKEN

pytestmark = pytest.mark.process

DOCKERFILE = (ROOT / "deploy/Dockerfile").read_text(encoding="utf-8")
LINES = [line for line in re.sub(r"\\\n\s*", " ", DOCKERFILE).splitlines() if line and not line.startswith("#")]


def instructions(name: str) -> list[str]:
    return [line.removeprefix(name).strip() for line in LINES if line.startswith(f"{name} ")]


def test_container_has_every_file_of_the_app():
    copied = [part for line in instructions("COPY") for part in line.split()[:-1]]
    assert all((ROOT / part).exists() for part in copied)
    space = hub.space_release(ROOT, "me/lab", "me/lab").files
    missing = [path for path in space if not any(fnmatch(path, part) or path.startswith(f"{part}/") for part in copied)]
    assert missing == [] and "checkpoints" in copied


def test_container_serves_as_user_on_its_port():
    order = [line.split()[0] for line in LINES]
    assert instructions("USER") == ["lab"] and order.index("USER") < order.index("CMD")
    assert "--uid 1000 lab" in DOCKERFILE
    (command,) = instructions("CMD")
    words = json.loads(command)
    options = app.parse(words[2:])
    assert words[:2] == ["python", "app.py"] and (options.host, options.port) == ("0.0.0.0", 7860)
    assert instructions("EXPOSE") == ["7860"]
    assert all(
        cached.startswith("/home/lab/cache") for cached in re.findall(r"(?:HF_HOME|CHARRNN_CACHE)=(\S+)", DOCKERFILE)
    )


@pytest.mark.skipif(shutil.which("nginx") is None, reason="nginx is not installed")
def test_nginx_accepts_configuration(tmp_path):
    command = ["nginx", "-t", "-e", "stderr", "-p", str(tmp_path), "-c", str(ROOT / "deploy/nginx.conf")]
    tested = subprocess.run(command, capture_output=True, text=True)
    assert tested.returncode == 0, tested.stderr


def test_nginx_balances_calls():
    configuration = (ROOT / "deploy/nginx.conf").read_text(encoding="utf-8")
    call = configuration.partition(f"location = {TEXT_CALL} {{")[2].partition("}")[0]
    assert "proxy_pass http://round_robin;" in call and "non_idempotent" in call
    assert f"client_max_body_size {MAX_BYTES >> 10}k;" in configuration


def test_health_check_fails_without_server():
    (check,) = instructions("HEALTHCHECK")
    words = json.loads(check.partition("CMD ")[2])
    code = words[2].replace("7860", "9")  # no server listens on the discard port
    assert subprocess.run([sys.executable, "-c", code], capture_output=True).returncode != 0


def test_job_runs_existing_commands():
    lines = (ROOT / "deploy/job.sh").read_text(encoding="utf-8").splitlines()
    commands = [shlex.split(line) for line in lines if "scripts/" in line]
    (training,) = [words for words in commands if "scripts/train.py" in words]
    (publishing,) = [words for words in commands if "scripts/publish.py" in words]
    assert train_flags.parse(training[training.index("scripts/train.py") + 1 :]).all
    assert publish.parser().parse_args(publishing[2:]).verb == "checkpoints"
    assert {"scripts/train.py", "scripts/publish.py"} <= hub.space_release(ROOT, "me/lab", "me/lab").files.keys()


DOCUMENTS = "".join((ROOT / "docs" / name).read_text(encoding="utf-8") for name in ("training.md", "serving.md"))
DOCUMENTS = DOCUMENTS.replace("\\\n", " ")


def document_lines(beginning: str) -> list[str]:
    return [line for line in DOCUMENTS.splitlines() if line.startswith(beginning)]


def test_documented_torchrun_lines_parse():
    lines = [shlex.split(line, comments=True) for line in document_lines("torchrun ")]
    parsed = [run.get_args_parser().parse_args(words[1:]) for words in lines]
    assert [(options.training_script, options.nnodes, options.standalone) for options in parsed] == [
        ("scripts/train.py", "1:1", True),
        ("scripts/sweep.py", "1:1", True),
        ("scripts/train.py", "2", False),
    ]
    all_recipes, grid, machines = (options.training_script_args for options in parsed)
    assert train_flags.parse(all_recipes).all and train_flags.parse(machines).all
    assert len(sweep.runs_of(sweep.parse(grid))) == 12


def test_documented_hub_job_is_accepted():
    (line,) = document_lines("hf jobs run ")
    settings = {"HF_ENDPOINT": "http://127.0.0.1:9", "HF_TOKEN": TOKEN, "HF_HUB_DISABLE_UPDATE_CHECK": "1"}
    python = shlex.quote(sys.executable)
    command = line.replace("hf jobs run", f"{python} -m huggingface_hub.cli.hf jobs run --dry-run")
    result = subprocess.run(
        ["bash", "-c", command], cwd=ROOT, env=os.environ | settings, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    for fact in ("cpu-performance", "6h", "NAME=owner/name", "HF_TOKEN=***", "scripts/train.py --all"):
        assert fact in result.stdout, fact
    assert TOKEN not in result.stdout + result.stderr


def test_slurm_nodes_share_runs(tmp_path):
    """Run the script with a fake srun that starts two nodes on this machine."""
    (line,) = document_lines("sbatch ")
    words = shlex.split(line, comments=True)
    assert (
        words[1:6] == ["--nodes", "4", "--cpus-per-task", "8", "deploy/slurm.sh"] and train_flags.parse(words[7:]).all
    )
    (tmp_path / "text.txt").write_text("the quick brown fox jumps over the lazy dog.\n" * 60, encoding="utf-8")
    commands = {
        "srun": 'test "$1 $2" = "--cpus-per-task 1" || exit 9; shift 2; "$@" & "$@" & wait',
        "torchrun": f'exec {sys.executable} -m torch.distributed.run "$@"',
        "hostname": "echo localhost",
    }
    for name, text in commands.items():
        (tmp_path / name).write_text(f"#!/bin/bash\n{text}\n")
        (tmp_path / name).chmod(0o755)
    allotted = {"SLURM_NNODES": "2", "SLURM_CPUS_PER_TASK": "1", "SLURM_JOB_ID": str(os.getpid())}
    grid = "--recipe rnn gru --hidden-dim 6 --steps 2 --batch 2 --seq-len 8".split()
    where = ["--data", str(tmp_path / "text.txt"), "--into", str(tmp_path / "runs")]
    done = subprocess.run(
        ["bash", "deploy/slurm.sh", "scripts/sweep.py", *grid, *where],
        cwd=ROOT,
        env=os.environ | allotted | {"PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
    )
    starts = [line for line in done.stdout.splitlines() if line.endswith(": starts")]
    assert len(starts) == len(set(starts)) == 2, done.stderr
    table = done.stdout.splitlines()[-3:]
    assert table[0].startswith("configuration ") and done.stdout.count("configuration ") == 1
    assert {row.split()[0] for row in table[1:]} == {"rnn", "gru"}


def test_slurm_job_without_cpus_is_refused():
    others = {name: value for name, value in os.environ.items() if name != "SLURM_CPUS_PER_TASK"}
    done = subprocess.run(
        ["bash", "deploy/slurm.sh"], cwd=ROOT, env=others | {"SLURM_JOB_ID": "1"}, capture_output=True, text=True
    )
    assert done.returncode != 0 and "SLURM_CPUS_PER_TASK: give --cpus-per-task" in done.stderr
