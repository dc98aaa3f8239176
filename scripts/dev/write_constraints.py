"""
Write constraints.txt: the versions in an environment with requirements-dev.txt.

    python scripts/dev/write_constraints.py            in a new environment; downloads PyTorch
    python scripts/dev/write_constraints.py --python /path/to/venv/bin/python    in an existing one

Docker and the workflows install with these constraints. The local part of a version (+cpu) is left out.
"""

import argparse
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HEAD = "# Written by scripts/dev/write_constraints.py: all packages of an environment with requirements-dev.txt.\n"
NOT_CONSTRAINED = {"pip", "setuptools", "wheel", "charrnn"}


def installed(python: Path) -> list[str]:
    """List what an environment has, as name==version."""
    words = [str(python), "-m", "pip", "--disable-pip-version-check", "list", "--format", "freeze"]
    listed = subprocess.run(words, capture_output=True, text=True, check=True).stdout.split()
    pins = (line.partition("+")[0] for line in listed if "==" in line)
    return sorted((pin for pin in pins if pin.partition("==")[0].lower() not in NOT_CONSTRAINED), key=str.lower)


def main() -> int:
    """Write the file; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", type=Path, help="Python of an existing environment (default: a new one)")
    python = parser.parse_args().python
    with tempfile.TemporaryDirectory() as folder:
        if python is None:
            venv.create(folder, with_pip=True)
            python = Path(folder) / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
            install = [str(python), "-m", "pip", "install", "-r", str(ROOT / "requirements-dev.txt")]
            subprocess.run(install, check=True)
        (ROOT / "constraints.txt").write_text(HEAD + "\n".join(installed(python)) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
