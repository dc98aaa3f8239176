"""
Run everything that must pass: a browser is there, ruff, ruff format, pyright, pytest. `make test` calls this.

Two processes share the test files, each of them one thread of torch; `-n 0` leaves them to one.

    python scripts/dev/check.py                    all of it, stopping at the first failure
    python scripts/dev/check.py -k gradient -x     further arguments go to pytest
"""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from charrnn import terminal


def main() -> int:
    python = [sys.executable, "-m"]
    checks = [
        [*python, "charrnn.bench.browser"],
        [*python, "ruff", "check", "."],
        [*python, "ruff", "format", "--check", "."],
        [*python, "pyright", "--pythonpath", sys.executable],
        [*python, "pytest", "-n", "2", "--dist", "loadfile", *sys.argv[1:]],
    ]
    environment = os.environ | {
        "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1",  # the pinned version is the wanted one
        "OMP_NUM_THREADS": "1",
    }
    for words in checks:
        print("$", *["python" if word == sys.executable else word for word in words], flush=True)
        status = subprocess.run(words, cwd=ROOT, env=environment).returncode
        if status:
            return status
    return 0


if __name__ == "__main__":
    sys.exit(terminal.run(main))
