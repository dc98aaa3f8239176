"""What deploy/ says fits the project: files and flags that there are, no root, a health check that can fail."""

import json
import re
import shlex
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path

import app
from charrnn import hub
from scripts import publish, serve, train

ROOT = Path(__file__).resolve().parents[1]
DOCKERFILE = (ROOT / "deploy/Dockerfile").read_text(encoding="utf-8")
LINES = [line for line in re.sub(r"\\\n\s*", " ", DOCKERFILE).splitlines() if line and not line.startswith("#")]


def instructions(name: str) -> list[str]:
    return [line.removeprefix(name).strip() for line in LINES if line.startswith(f"{name} ")]


def test_the_container_has_every_file_that_the_app_reads():
    copied = [part for line in instructions("COPY") for part in line.split()[:-1]]
    assert all((ROOT / part).exists() for part in copied)
    space = hub.space_release(ROOT, "me/lab").files
    missing = [path for path in space if not any(fnmatch(path, part) or path.startswith(f"{part}/") for part in copied)]
    assert missing == [] and "checkpoints" in copied


def test_the_container_serves_as_nobody_in_particular_on_the_port_it_names():
    order = [line.split()[0] for line in LINES]
    assert instructions("USER") == ["lab"] and order.index("USER") < order.index("CMD")
    assert "--uid 1000 lab" in DOCKERFILE
    (command,) = instructions("CMD")
    words = as_words(command)
    options = app.parse(words[2:])
    assert words[:2] == ["python", "app.py"] and (options.host, options.port) == ("0.0.0.0", 7860)
    assert instructions("EXPOSE") == ["7860"]
    assert all(
        cached.startswith("/home/lab/cache") for cached in re.findall(r"(?:HF_HOME|CHARRNN_CACHE)=(\S+)", DOCKERFILE)
    )


def test_the_container_can_serve_by_several_processes_too():
    (run,) = re.findall(r"char-rnn-lab python scripts/serve\.py (.*)$", DOCKERFILE, re.MULTILINE)
    options = serve.parse(shlex.split(run))
    assert (options.host, options.port) == ("0.0.0.0", 7860)
    assert any("nginx" in line for line in instructions("RUN")) and "deploy deploy" in instructions("COPY")


def test_the_health_check_fails_where_nothing_listens():
    (check,) = instructions("HEALTHCHECK")
    words = as_words(check.partition("CMD ")[2])
    code = words[2].replace("7860", "9")  # nobody listens on the port for discarding
    assert subprocess.run([sys.executable, "-c", code], capture_output=True).returncode != 0


def test_the_container_takes_a_python_that_there_are_wheels_for_and_the_small_torch():
    (image,) = instructions("FROM")
    version = re.fullmatch(r"python:(\d+)\.(\d+)-slim", image)
    assert version is not None and (int(version[1]), int(version[2])) >= (3, 11)
    assert "PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu" in DOCKERFILE


def test_a_job_runs_commands_that_there_are():
    lines = (ROOT / "deploy/job.sh").read_text(encoding="utf-8").splitlines()
    commands = [shlex.split(line) for line in lines if "scripts/" in line]
    (training,) = [words for words in commands if "scripts/train.py" in words]
    (publishing,) = [words for words in commands if "scripts/publish.py" in words]
    assert train.parse(training[training.index("scripts/train.py") + 1 :]).all
    assert publish.parser().parse_args(publishing[2:]).verb == "checkpoints"
    assert {"scripts/train.py", "scripts/publish.py"} <= hub.space_release(ROOT, "me/lab").files.keys()


def as_words(text: str) -> list[str]:
    """The words of an instruction in its form as a list."""
    return json.loads(text)
