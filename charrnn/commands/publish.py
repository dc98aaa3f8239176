"""
Publish on the Hugging Face Hub, in one commit or none.

    python scripts/publish.py checkpoints owner/name                              all under checkpoints/
    python scripts/publish.py checkpoints owner/name --folder checkpoints/mine    this one
    python scripts/publish.py space owner/name       the page, on the checkpoints that owner/name has
    python scripts/publish.py static owner/name      the page without a server, with checkpoints/ inside

A repository then holds these checkpoints and no others, a Space only the page: other files are deleted, which is
reported, and remain in earlier commits. Files that charrnn did not publish are replaced only with --replace. Of a
Space's files only those tracked by git are sent.

Log in first (`hf auth login`, or HF_TOKEN). --dry-run lists what would be sent and deleted, with the same
checks, and changes nothing; if the Hub cannot be reached, it lists what would be sent.
An error is printed on stderr with the command to retry. Exit codes: 0 published, 1 not, 2 bad input, 130 stopped.
"""

import argparse
import signal
import sys
from collections.abc import Callable, Sequence

from charrnn import hub, script_runner
from charrnn.flag_types import name_or_path, path
from charrnn.paths import CHECKPOINTS, REPOSITORY


def parser() -> argparse.ArgumentParser:
    """Return the parser of all verbs."""
    whole = script_runner.script_parser(__doc__)
    verbs = whole.add_subparsers(dest="verb", required=True)
    checkpoints = verbs.add_parser("checkpoints", help="one checkpoint, or all of them")
    space = verbs.add_parser("space", help="the page; replaces the files of the Space")
    static = verbs.add_parser("static", help="the page without a server, as scripts/build_site.py builds it")
    for verb in (checkpoints, space, static):
        verb.add_argument("repository", metavar="owner/name", help="target; created if needed")
        verb.add_argument("--private", action="store_true", help="make a new repository private")
        verb.add_argument("--dry-run", action="store_true", help="list what would be sent, and send nothing")
        verb.add_argument("--replace", action="store_true", help="replace files of another project too")
    checkpoints.add_argument(
        "--folder",
        type=path,
        default=CHECKPOINTS,
        help="a checkpoint, or a folder of them: the repository then holds these and no others",
    )
    checkpoints.add_argument("--tag", help="of this release (default: the next of v1, v2, …)")
    space.add_argument(
        "--checkpoints",
        type=name_or_path,
        metavar="owner/name[@revision]",
        help="its checkpoint repository (default: the same name)",
    )
    static.add_argument("--checkpoints", type=path, default=CHECKPOINTS, help="a folder of them (default: checkpoints)")
    space.add_argument(
        "--zero-gpu", action="store_true", help="for ZeroGPU hardware, which takes few versions of torch"
    )
    return whole


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Parse the flags; refuses an invalid repository name before reading anything."""
    whole = parser()
    options = whole.parse_args(arguments)
    if options.verb == "space":
        options.checkpoints = options.checkpoints or options.repository
    try:
        hub.require_repository(options.repository)
        if options.verb == "space":
            hub.require_repository(options.checkpoints.partition("@")[0])
    except hub.HubError as error:
        whole.error(str(error))
    return options


def listing(
    planned: Callable[[], hub.Release], offline: Callable[[], hub.Release], notify: Callable[[str], None]
) -> str:
    """List what would be uploaded; `offline` collects it if the Hub is unreachable."""
    try:
        release = planned()
    except hub.HubError as error:
        if not error.is_temporary:
            raise
        notify(f"{error}; the present files were not checked")
        release = offline()
    sizes = release.sizes()
    lines = [f"{size:>12,}  {path}" for path, size in sizes.items()]
    return "\n".join([*lines, f"{sum(sizes.values()):>12,}  bytes in {len(sizes)} files: {release.message}"])


def publish(options: argparse.Namespace) -> str:
    """Publish, or list what would be sent. Raises CheckpointError or HubError."""

    def notify(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    common = {"replace": options.replace, "notify": notify}
    if options.verb == "checkpoints":
        folder, repository = options.folder, options.repository
        if options.dry_run:
            return listing(
                lambda: hub.planned(folder, repository, tag=options.tag, **common),
                lambda: hub.release(folder, repository),
                notify,
            )
        pushed = hub.push(folder, repository, private=options.private, tag=options.tag, **common)
        return f"{pushed.url} at commit {pushed.commit}, tag {pushed.tag}"
    release, used = space(options, notify)
    if options.dry_run:

        def planned() -> hub.Release:
            hub.require_space(release, options.repository, checkpoints=used, **common)
            return release

        return listing(planned, lambda: release, notify)
    flags = {"private": options.private, "zero_gpu": options.verb == "space" and options.zero_gpu}
    pushed = hub.push_space(release, options.repository, checkpoints=used, **flags, **common)
    return f"{pushed.url} at commit {pushed.commit}"


def space(options: argparse.Namespace, notify: Callable[[str], None]) -> tuple[hub.Release, str | None]:
    """
    Return the files of the Space, and the checkpoint repository of the app.

    Raises CheckpointError, HubError.
    """
    if options.verb == "static":
        from charrnn.site import build_site  # imports gradio

        return hub.static_release(build_site(options.checkpoints, notify).all_files()), None
    release = hub.space_release(REPOSITORY, options.repository, options.checkpoints, zero_gpu=options.zero_gpu)
    return release, options.checkpoints


def main(arguments: Sequence[str] | None = None) -> int:
    """Publish as the flags say and return the exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    options = parse(arguments)
    try:
        print(publish(options))
        return 0
    except (ValueError, OSError) as error:
        reason, code = script_runner.reason(error), 1
    except KeyboardInterrupt:
        reason, code = "stopped", 128 + signal.SIGINT
    again = script_runner.shell_command(REPOSITORY / "scripts/publish.py", *arguments)
    print(f"{reason}\nnothing is lost; try again with:\n{again}", file=sys.stderr)
    return code
