"""
Start the lab in the browser: `python app.py`, or `python app.py --checkpoints owner/name` for models on the Hub.

On a Hugging Face Space the same file is run without arguments; CHARRNN_CHECKPOINTS names its checkpoints.
"""

import argparse
import contextlib
import ctypes
import os
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from charrnn import command

if TYPE_CHECKING:
    from charrnn.hub import Origin

ROOT = Path(__file__).resolve().parent
VARIABLE = "CHARRNN_CHECKPOINTS"
M_ARENA_MAX = -8  # malloc.h


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="Watch a character-level recurrent network write.")
    on_space = "SPACE_ID" in os.environ
    host = "0.0.0.0" if on_space else "127.0.0.1"
    parser.add_argument("--host", default=host, help="address to listen on (%(default)s)")
    default = os.environ.get("GRADIO_SERVER_PORT", "7860")
    parser.add_argument("--port", type=port, default=default, help="port to listen on, 0 for a free one (%(default)s)")
    parser.add_argument(
        "--checkpoints", help=f"a folder, or owner/name[@revision] on the Hub (${VARIABLE}, else those of the project)"
    )
    return parser.parse_args(arguments)


def port(text: str) -> int:
    """What stands for a port on the command line, or in the environment."""
    if not (text.isascii() and text.isdigit() and int(text) <= 65535):
        raise argparse.ArgumentTypeError(f"{text!r} is not a port: give 0 to 65535")
    return int(text)


def share_one_heap() -> None:
    """
    Let all threads take memory from one heap, where malloc is glibc's; before the first of them.

    One of its own would keep what its thread has ever needed: 40 MB over all of the page's, and none is quicker for it.
    """
    if sys.platform == "linux":
        with contextlib.suppress(AttributeError, OSError):
            ctypes.CDLL(None).mallopt(M_ARENA_MAX, 1)


def satisfy_zero_gpu() -> None:
    """ZeroGPU hardware refuses to start an app without one GPU function; this one is never called."""
    try:
        import spaces  # pyright: ignore[reportMissingImports]
    except ImportError:
        return

    @spaces.GPU
    def marker() -> None:
        """Everything here runs on the processor."""


def fetch_corpus() -> None:
    """Bring Tiny Shakespeare into the cache, for the analyses; where that cannot be done they have another text."""
    from charrnn.corpus import CorpusError, tiny_shakespeare

    with contextlib.suppress(CorpusError):
        tiny_shakespeare()


def checkpoints(named: str | None) -> "Origin":
    """
    Those that were named on the command line, else in the environment, else those of the project.

    A Hub that is away is no reason not to start. Nor is anything wrong with what the environment names: there is nobody
    at a command line to mend it, and the page says it. Raises HubError.
    """
    from charrnn import hub

    bundled, variable = ROOT / "checkpoints", os.environ.get(VARIABLE)
    if named is None and not variable:
        return hub.Origin(bundled, str(bundled))
    return hub.fetch_or(named or variable or "", bundled, always=named is None)


def main() -> None:
    """Serve the page until Ctrl-C."""
    arguments = parse()
    share_one_heap()
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # gradio asks when it is imported: below
    os.environ["GRADIO_SERVER_PORT"] = str(arguments.port)  # it reads this too, and the flag may have overruled it
    if "SPACE_ID" in os.environ:
        satisfy_zero_gpu()
    from charrnn import hub, ui
    from charrnn.ui.store import Store

    try:
        origin = checkpoints(arguments.checkpoints)
    except hub.HubError as error:
        sys.exit(_refused(str(error)))
    if origin.notice:
        print(f"app.py: {origin.notice}", file=sys.stderr)
    demo = ui.build_demo(Store(origin.folder, origin))
    if os.environ.get("HF_HUB_OFFLINE", "0") in ("", "0"):
        threading.Thread(target=fetch_corpus, daemon=True).start()
    try:
        ui.launch(demo, arguments.host, arguments.port)
    except OSError as error:
        where = f"{arguments.host}:{arguments.port}"
        sys.exit(_refused(f"cannot listen on {where}: {error.strerror or error}; give another --host or --port"))


def _refused(reason: str) -> int:
    print(f"app.py: {reason}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(command.run(main))
