"""The command `charrnn`; imports a subcommand only when it runs."""

import sys
from collections.abc import Sequence

from charrnn import __version__
from charrnn.control_char_escapes import printable
from charrnn.script_runner import COMMAND, begin, run_module

SUBCOMMANDS = {
    "app": "serve the page in the browser",
    "train": "train a checkpoint",
    "sample": "write text with a checkpoint",
    "evaluate": "recompute the losses of checkpoints",
    "publish": "publish checkpoints or the page on the Hugging Face Hub",
    "site": "build the page as files that need no server",
}
LIBRARIES_OF_APP = {"gradio", "plotly", "pydantic", "anyio", "httpx", "uvicorn", "h11"}


def usage() -> str:
    """List the subcommands."""
    rows = "\n".join(f"  {name:<10}{purpose}" for name, purpose in SUBCOMMANDS.items())
    return f"usage: {COMMAND} COMMAND …\n\n{rows}\n\n{COMMAND} COMMAND --help lists the flags of one.\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a subcommand and return the exit code; 2 for an unknown one."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    name = words[0] if words else "--help"
    if name not in SUBCOMMANDS:
        return _without_subcommand(name)
    before, sys.argv = sys.argv, [f"{COMMAND} {name}", *words[1:]]  # what argparse and `shell_command` call the program
    try:
        return run_module(f"charrnn.commands.{name}")
    except ModuleNotFoundError as error:
        if name not in ("app", "site") or error.name not in LIBRARIES_OF_APP:
            raise
        print(f"{COMMAND} {name} needs {error.name}: install it with pip install '{COMMAND}[app]'", file=sys.stderr)
        return 2
    finally:
        sys.argv = before


def _without_subcommand(name: str) -> int:
    begin()
    if name in ("-h", "--help"):
        print(usage(), end="")
        return 0
    if name == "--version":
        print(f"{COMMAND} {__version__}")
        return 0
    print(f"{usage()}\n{COMMAND}: {printable(name)!r} is no command: give {', '.join(SUBCOMMANDS)}", file=sys.stderr)
    return 2
