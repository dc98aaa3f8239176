"""
Run ruff, ruff format, pyright and pytest; `make test` calls this.

Two processes share the test files, with one thread of torch each; `-n 0` uses one process.

    python scripts/dev/check.py                    the quick tier: no processes, a few browser tests
    python scripts/dev/check.py --all              every test
    python scripts/dev/check.py -k gradient -x     further arguments go to pytest

Stops at the first check that fails.
"""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from charrnn import script_runner

QUICK = "not (browser or process or slow) or smoke"
# Keep the order of tests/conftest.py; by default pytest-xdist begins with the files with the most tests.
TWO_WORKERS = ["-n", "2", "--dist", "loadfile", "--no-loadscope-reorder"]


def main() -> int:
    """Run the checks and return the exit code of the first that fails, else 0."""
    arguments = sys.argv[1:]
    tier = [] if "--all" in arguments else ["-m", QUICK]
    python = [sys.executable, "-m"]
    checks = [
        [*python, "charrnn.bench.find_browser", *(["--all"] if "--all" in arguments else [])],
        [*python, "ruff", "check", "."],
        [*python, "ruff", "format", "--check", "."],
        [*python, "pyright", "--pythonpath", sys.executable],
        [*python, "pytest", *TWO_WORKERS, *tier, *(argument for argument in arguments if argument != "--all")],
    ]
    environment = os.environ | {
        "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1",  # of a version newer than the pinned one
        "OMP_NUM_THREADS": "1",
    }
    for command in checks:
        print("$", *["python" if word == sys.executable else word for word in command], flush=True)
        status = subprocess.run(command, cwd=ROOT, env=environment).returncode
        if status:
            return status
    return 0


if __name__ == "__main__":
    sys.exit(script_runner.run(main))
