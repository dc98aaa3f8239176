"""Serve the page, from a checkout or on a Space; `--help` lists the flags."""

import sys

from charrnn.script_runner import run_module

if __name__ == "__main__":
    sys.exit(run_module("charrnn.commands.app"))
