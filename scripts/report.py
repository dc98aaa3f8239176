"""Write the measured tables of README.md and docs/; `--help` lists the flags."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from charrnn.script_runner import run_module

if __name__ == "__main__":
    sys.exit(run_module("charrnn.study.report"))
