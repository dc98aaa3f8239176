"""
Serve the page: `charrnn app`, or `python app.py` in a checkout.

`--checkpoints owner/name`: models on the Hub; `--state-dict FILE`: a lab solution. A Hugging Face Space runs app.py
without arguments; CHARRNN_CHECKPOINTS names its checkpoints. Behind a proxy, set CHARRNN_ALLOWED_HOSTS to its host name
and GRADIO_ROOT_PATH to the path of the page below it.
"""

import argparse
import atexit
import contextlib
import ctypes
import os
import re
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from charrnn.paths import app_checkpoints

if TYPE_CHECKING:
    from charrnn.hub import Origin

VARIABLE, HOSTS = "CHARRNN_CHECKPOINTS", "CHARRNN_ALLOWED_HOSTS"
M_ARENA_MAX = -8  # malloc.h


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description="Serve the page: watch a character-level recurrent network generate text."
    )
    on_space = "SPACE_ID" in os.environ
    default_host = os.environ.get("GRADIO_SERVER_NAME") or ("0.0.0.0" if on_space else "127.0.0.1")
    parser.add_argument("--host", type=host, default=default_host, help="address to listen on (%(default)s)")
    default = os.environ.get("GRADIO_SERVER_PORT", "7860")
    parser.add_argument("--port", type=port, default=default, help="port to listen on, 0 for a free one (%(default)s)")
    parser.add_argument(
        "--allowed-hosts",
        type=hosts,
        default=os.environ.get(HOSTS, ""),
        metavar="NAME,…",
        help=f"host names in the page's address, such as a proxy's; * for any (${HOSTS}; default: the names of this "
        "machine if --host is 127.0.0.1 or ::1, else any)",
    )
    models = parser.add_mutually_exclusive_group()
    models.add_argument(
        "--checkpoints",
        type=source,
        help=f"a folder, or owner/name[@revision] on the Hub (${VARIABLE}, else ./checkpoints, else the bundled ones)",
    )
    models.add_argument(
        "--state-dict",
        type=file,
        help="the bare state dict of a CharRNN as safetensors; needs the text it was trained on",
    )
    parser.add_argument("--data", type=file, help="with --state-dict: its corpus (default: Tiny Shakespeare)")
    options = parser.parse_args(arguments)
    if options.data and not options.state_dict:
        parser.error("--data goes with --state-dict: a checkpoint stores its characters")
    return options


def host(text: str) -> str:
    """Parse an address, with or without the brackets of IPv6."""
    bare = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    if not bare:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no address: give one of this machine, as 127.0.0.1, ::1 or 0.0.0.0"
        )
    return bare


def source(text: str) -> str:
    """Parse a folder of checkpoints or a Hub repository."""
    if not text:
        raise argparse.ArgumentTypeError("it is empty: give a folder, or owner/name[@revision] of the Hub")
    return text


def file(text: str) -> Path:
    """Parse the path of a file."""
    if not text:
        raise argparse.ArgumentTypeError("it is empty: give a path")
    return Path(text)


def hosts(text: str) -> list[str]:
    """Parse a comma-separated list of host names."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        if name != "*" and not re.fullmatch(r"[\w.:\[\]-]+", name, re.ASCII):
            raise argparse.ArgumentTypeError(f"{name!r} is no name of a host: give names as lab.example,10.0.0.7, or *")
    return names


def port(text: str) -> int:
    """Parse a port."""
    if not (text.isascii() and text.isdigit() and int(text) <= 65535):
        raise argparse.ArgumentTypeError(f"{text!r} is not a port: give 0 to 65535")
    return int(text)


def limit_malloc_arenas() -> None:
    """
    Limit glibc's malloc to one arena; call it before any thread starts.

    An arena per thread would keep 40 MB in total and is not faster.
    """
    if sys.platform == "linux":
        with contextlib.suppress(AttributeError, OSError):
            ctypes.CDLL(None).mallopt(M_ARENA_MAX, 1)


@contextlib.contextmanager
def without_proxies() -> Iterator[None]:
    """
    Disable proxies while Gradio checks its own address.

    A variable with an invalid proxy would prevent its import.
    """
    before = os.environ.get("no_proxy")
    os.environ["no_proxy"] = "*"
    try:
        yield
    finally:
        del os.environ["no_proxy"]
        if before is not None:
            os.environ["no_proxy"] = before


def register_gpu_function() -> None:
    """Register an unused GPU function, which ZeroGPU requires to start an app."""
    try:
        import spaces  # pyright: ignore[reportMissingImports]
    except ImportError:
        return

    @spaces.GPU
    def marker() -> None:
        """Do nothing; the app runs on the CPU."""


def fetch_corpus() -> None:
    """Download Tiny Shakespeare for the analyses, if it can be reached."""
    from charrnn.corpus import CorpusError, tiny_shakespeare

    with contextlib.suppress(CorpusError):
        tiny_shakespeare()


def checkpoints(named: str | None) -> "Origin":
    """
    Return the checkpoints named by flag, by environment variable, or the default.

    If the Hub is unreachable, or the variable names no usable repository, the bundled ones are used and the page shows
    the error. Raises HubError for other errors of the flag.
    """
    from charrnn import hub

    bundled, variable = app_checkpoints(), os.environ.get(VARIABLE)
    if named is None and not variable:
        return hub.Origin(bundled, str(bundled))
    return hub.fetch_with_fallback(named or variable or "", bundled, always=named is None)


def convert_state_dict(options: argparse.Namespace) -> "Origin":
    """Write the lab solution as a checkpoint deleted at exit. Raises ValueError."""
    from charrnn.commands.sample import read_model
    from charrnn.hub import Origin
    from charrnn.pretrained import save_pretrained

    model, vocab = read_model(options)
    temporary = tempfile.TemporaryDirectory(prefix="charrnn-")
    atexit.register(temporary.cleanup)
    save_pretrained(model, Path(temporary.name) / "solution", vocab)
    return Origin(Path(temporary.name), str(options.state_dict))


def main() -> None:
    """Serve the page until Ctrl-C."""
    arguments = parse()
    limit_malloc_arenas()
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # read when gradio is imported, below
    os.environ["GRADIO_SERVER_PORT"] = str(arguments.port)  # gradio reads this too; the flag takes precedence
    os.environ.pop("GRADIO_SERVER_NAME", None)  # gradio would test the port on it as an IPv4 address
    if "SPACE_ID" in os.environ:
        register_gpu_function()
    with without_proxies():
        from charrnn.ui.engine.network_route import network_routes
        from charrnn.ui.gradio_server import serve
        from charrnn.ui.page import build_demo
        from charrnn.ui.server.checkpoint_store import Store
    try:
        origin = convert_state_dict(arguments) if arguments.state_dict else checkpoints(arguments.checkpoints)
    except ValueError as error:  # also CheckpointError, CorpusError and HubError
        sys.exit(_refused(str(error)))
    if origin.notice:
        _print_error(origin.notice)
    store = Store(origin.folder, origin)
    demo = build_demo(store)
    try:
        with without_proxies():
            address = serve(demo, arguments.host, arguments.port, arguments.allowed_hosts, network_routes(store))
    except OSError as error:
        where = (
            f"[{arguments.host}]:{arguments.port}" if ":" in arguments.host else f"{arguments.host}:{arguments.port}"
        )
        sys.exit(_refused(f"cannot listen on {where}: {error.strerror or error}; give another --host or --port"))
    print(f"Char-RNN Lab: {address}", flush=True)
    if os.environ.get("HF_HUB_OFFLINE", "0") in ("", "0"):
        threading.Thread(target=fetch_corpus, daemon=True).start()
    demo.block_thread()


def _refused(reason: str) -> int:
    _print_error(reason)
    return 2


def _print_error(line: str) -> None:
    print(f"{Path(sys.argv[0]).name}: {line}", file=sys.stderr)
