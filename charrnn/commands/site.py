"""
Build the page as files that need no server.

    python scripts/build_site.py OUT                                  a folder, for any web server
    python scripts/build_site.py OUT --checkpoints FOLDER             of networks of your own
    python scripts/build_site.py --single-file lab.html --networks rnn lstm    one file, to open from a disk

The networks run in the page. Results of analyses that need Python are stored with it: those beside the checkpoints
(scripts/analyse.py), and others that are computed now, in some minutes.

OUT and the single file are replaced if they were built before; anything else there is an error.
Exit codes: 0 built, 1 not, 2 bad input, 130 stopped.
"""

import argparse
import contextlib
import shutil
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from charrnn import script_runner
from charrnn.checkpoint import checkpoint_folders
from charrnn.flag_types import path
from charrnn.paths import app_checkpoints
from charrnn.site import PAGE, Site, build_site, is_single_file, selected_checkpoints, single_file

SITE_FOLDER = "charrnn"  # below OUT, beside index.html


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Parse the flags."""
    parser = script_runner.script_parser(__doc__)
    parser.add_argument("out", metavar="OUT", nargs="?", type=path, help="a new folder, or one built before")
    parser.add_argument("--single-file", type=path, metavar="FILE", help="write one HTML file instead")
    parser.add_argument("--checkpoints", type=path, default=app_checkpoints(), help="a folder of them (%(default)s)")
    parser.add_argument("--networks", nargs="+", metavar="NAME", help="of these only (default: all)")
    options = parser.parse_args(arguments)
    if (options.out is None) == (options.single_file is None):
        parser.error("give a folder OUT, or --single-file FILE")
    missing = [name for name in options.networks or () if not (options.checkpoints / name).is_dir()]
    if missing:
        found = ", ".join(folder.name for folder in checkpoint_folders(options.checkpoints))
        parser.error(f"there is no checkpoint {missing[0]!r} in {options.checkpoints}: give some of {found}")
    return options


def require_replaceable(target: Path) -> None:
    """Raise ValueError if a file or folder exists that this command did not build."""
    if target.is_dir() and not any(target.iterdir()):
        return
    if target.is_dir():
        others = {entry.name for entry in target.iterdir()} - {PAGE, SITE_FOLDER}
        if others or not (target / SITE_FOLDER / "site.json").is_file():
            raise ValueError(f"{target} is not a site built before: give a new folder")
    elif target.exists() and not is_single_file(target):
        raise ValueError(f"{target} is not a page built before: give a new file")


def build(options: argparse.Namespace) -> str:
    """Build what the flags say and describe it. Raises ValueError or OSError."""
    target: Path = options.single_file or options.out
    if options.out and target.exists() and not target.is_dir():
        raise ValueError(f"{target} is a file: give a folder")
    if options.single_file and target.is_dir():
        raise ValueError(f"{target} is a folder: give a file, as lab.html")
    require_replaceable(target)
    with contextlib.ExitStack() as stack:
        root = options.checkpoints
        if options.networks or options.single_file:
            names = options.networks or [folder.name for folder in checkpoint_folders(root)]
            root = stack.enter_context(selected_checkpoints(root, names, steps=options.out is not None))
        site = build_site(root, _notify, small=options.single_file is not None)
    if options.single_file:
        html = single_file(site)
        target.write_text(html, encoding="utf-8")
        return f"{target}: {len(html.encode()):,} bytes"
    return _write(site, target)


def _write(site: Site, out: Path) -> str:
    shutil.rmtree(out / SITE_FOLDER, ignore_errors=True)
    site.write(out)
    sizes = [len(content) for content in site.all_files().values()]
    return f"{out}: {sum(sizes):,} bytes in {len(sizes)} files; serve it with python -m http.server -d {out}"


def _notify(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Build the page as the flags say and return the exit code."""
    options = parse(sys.argv[1:] if arguments is None else arguments)
    try:
        print(build(options))
        return 0
    except (ValueError, OSError) as error:
        print(script_runner.reason(error), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 128 + signal.SIGINT
