"""Where checkpoints come from: a folder of this machine, or a repository on the Hub."""

import re
from pathlib import Path

from huggingface_hub import snapshot_download

from charrnn.checkpoint import FILES, MODEL
from charrnn.hub.errors import HubError, as_hub_errors

REPOSITORY = re.compile(r"(?P<repo_id>[\w.-]+/[\w.-]+)(@(?P<revision>[^@\s]+))?")


def resolve(source: str) -> Path:
    """
    The folder of checkpoints that `source` means: a local folder, or `owner/name[@revision]` on the Hub.

    A repository is downloaded once and then served from the Hub library's cache, also when there is no network;
    `commit_of` says which commit that is. Raises HubError.
    """
    folder = Path(source).expanduser()
    if folder.is_dir():
        return folder
    match = REPOSITORY.fullmatch(source)
    if match is None:
        raise HubError(f"{source!r} is neither a folder nor a Hub repository (owner/name or owner/name@revision)")
    patterns = [pattern for name in FILES for pattern in (name, f"*/{name}")]
    with as_hub_errors(source):
        folder = Path(snapshot_download(match["repo_id"], revision=match["revision"], allow_patterns=patterns))
    if next(folder.rglob(MODEL), None) is None:
        raise HubError(f"{source} holds no charrnn checkpoint: there is no {MODEL} in it")
    return folder


def commit_of(folder: Path) -> str | None:
    """The commit that a folder given by `resolve` was downloaded from; None for a folder of this machine."""
    return folder.name if folder.parent.name == "snapshots" else None
