"""Sources of checkpoints: a local folder, or a cached Hub repository."""

import glob
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from huggingface_hub import HfApi, snapshot_download
from huggingface_hub.errors import HFValidationError, IncompleteSnapshotError
from huggingface_hub.hf_api import ModelInfo
from huggingface_hub.utils import validate_repo_id

from charrnn import __version__
from charrnn.checkpoint import FILES, MAX_FILE_BYTES, MODEL, list_checkpoints
from charrnn.control_char_escapes import printable
from charrnn.hub.errors import HubError, as_hub_errors
from charrnn.hub.response_limits import LISTING_BYTES, LISTING_S, Bounds, bounded

REPOSITORY = re.compile(r"(?P<repo_id>[\w.-]+/[\w.-]+)(@(?P<revision>[^@\s]+))?")
PATTERNS = [pattern for name in FILES for pattern in (name, f"*/{name}")]
COMMIT = re.compile("[0-9a-f]{40}")
MAX_FILES, MAX_BYTES = 2000, 4 << 30
MIN_BYTES_PER_S = 50_000  # average of a download
MAX_LISTED = 3  # omitted files in a message
TIMEOUT_S = 10
TRIES = 3  # downloads, if the repository changes during one


@dataclass(frozen=True)
class Origin:
    """A folder of checkpoints, its source, and a notice for the user."""

    folder: Path
    source: str
    commit: str | None = None  # pinned; None for a local folder
    notice: str = ""  # if these are not the newest or not the requested ones

    @property
    def pinned(self) -> str:
        """The source pinned to its commit; unchanged for a local folder."""
        return f"{self.source.partition('@')[0]}@{self.commit}" if self.commit else self.source


def fetch(source: str) -> Origin:
    """
    Return the checkpoints of a local folder or of `owner/name[@revision]`.

    A repository is downloaded once, pinned to a commit, and then served from the Hub library's cache. If the Hub is
    unreachable, or files were omitted for their size, the notice says so. Raises HubError, for oversized content
    before any download.
    """
    folder = Path(source).expanduser()
    if source and folder.is_dir():
        return Origin(folder, source)
    match = REPOSITORY.fullmatch(source)
    if match is None:
        raise HubError(
            f"{source!r} is neither a folder nor a Hub repository (owner/name or owner/name@revision)", "name"
        )
    siblings = sorted(path.parent.name for path in folder.parent.glob(f"*/{MODEL}"))
    if siblings:  # a folder with checkpoints was probably meant
        raise HubError(
            f"{source} is not there: {folder.parent} has {', '.join(siblings)}; for the repository of that name on the "
            f"Hub, start in a folder without a {folder.parent}",
            "name",
        )
    origin = _from_hub(source, match["repo_id"], match["revision"])
    if next(origin.folder.rglob(MODEL), None) is None:
        raise HubError(f"{source} holds no charrnn checkpoint: there is no {MODEL} in it", "empty")
    return origin


def require_repository(name: str) -> None:
    """Raise HubError for an invalid repository name."""
    try:
        validate_repo_id(name)
        fits = name.count("/") == 1
    except HFValidationError:
        fits = False
    if not fits:
        raise HubError(f"{name!r} is not the name of a Hub repository: give owner/name", "name")


def resolve(source: str) -> Path:
    """Return the folder of `source`, as `fetch` finds it. Raises HubError."""
    return fetch(source).folder


def commit_of(folder: Path) -> str | None:
    """Return the commit of a folder from `resolve`; None for a local folder."""
    return folder.name if folder.parent.name == "snapshots" else None


def _from_hub(source: str, repo_id: str, revision: str | None) -> Origin:
    try:
        with bounded(source) as bounds, as_hub_errors(source):
            return _downloaded(source, repo_id, revision, bounds)
    except HubError as error:
        cached = _cached(repo_id, revision) if error.is_temporary else None
        if cached is None:
            raise
        return Origin(cached, source, cached.name, _cached_notice(cached.name))


def _downloaded(source: str, repo_id: str, revision: str | None, bounds: Bounds) -> Origin:
    api = HfApi(library_name="charrnn", library_version=__version__)
    for _ in range(TRIES):
        info = bounds.within(
            LISTING_BYTES,
            LISTING_S,
            lambda: api.model_info(repo_id, revision=revision, files_metadata=True, timeout=TIMEOUT_S),
        )
        sizes, notice = _checkpoint_files(source, info)
        patterns, total = [glob.escape(name) for name in sizes], sum(sizes.values())
        folder = bounds.within(
            LISTING_BYTES + total,
            LISTING_S + total / MIN_BYTES_PER_S,
            lambda patterns=patterns: Path(snapshot_download(repo_id, revision=revision, allow_patterns=patterns)),
        )
        if folder.name == info.sha:
            return Origin(folder, source, folder.name, notice)
    return Origin(folder, source, folder.name, _cached_notice(folder.name))  # the Hub became unreachable in between


def _cached_notice(commit: str) -> str:
    return f"The Hub cannot be reached just now: these are the networks as last fetched, commit {commit[:8]}."


def _cached(repo_id: str, revision: str | None) -> Path | None:
    """Return the cached download; if it is incomplete, its complete checkpoints."""
    try:
        return Path(snapshot_download(repo_id, revision=revision, allow_patterns=PATTERNS, local_files_only=True))
    except IncompleteSnapshotError as error:  # omitted for its size, or the network failed
        cached = Path(error.snapshot_path)
        return cached if list_checkpoints(cached)[0] else None
    except (OSError, ValueError):
        return None


def _checkpoint_files(source: str, info: ModelInfo) -> tuple[dict[str, int], str]:
    """
    Return the files of checkpoints (name -> bytes) and a notice about omitted ones.

    Raises HubError if none is left, the total is too large, or the listing is invalid.
    """
    listed = {file.rfilename: file.size or 0 for file in info.siblings or []}
    if not (
        isinstance(info.sha, str)
        and COMMIT.fullmatch(info.sha)
        and all(isinstance(name, str) and type(size) is int and size >= 0 for name, size in listed.items())
    ):
        raise TypeError("names, sizes or the commit are invalid")
    wanted = {name: size for name, size in listed.items() if matches_any(name, *PATTERNS)}
    oversized = {_checkpoint_of(name): name for name, size in wanted.items() if size > MAX_FILE_BYTES}
    omissions = [f"{name} has {wanted[name]} bytes, more than {MAX_FILE_BYTES}" for name in oversized.values()]
    wanted = {name: size for name, size in wanted.items() if _checkpoint_of(name) not in oversized}
    if oversized and not any(PurePosixPath(name).name == MODEL for name in wanted):
        raise HubError(f"{source} is not fetched: {omissions[0]}", "large")
    total = sum(wanted.values())
    if len(wanted) > MAX_FILES or total > MAX_BYTES:
        raise HubError(f"{source} is not fetched: {len(wanted)} files of {total} bytes are too many", "large")
    more = [f"and {len(omissions) - MAX_LISTED} more"] if len(omissions) > MAX_LISTED else []
    notice = f"Not all of {source} is here: {'; '.join(omissions[:MAX_LISTED] + more)}." if omissions else ""
    return wanted, printable(notice)


def matches_any(path: str, *patterns: str) -> bool:
    """Return whether a path in a repository matches a glob pattern of the same depth."""
    return any(path.count("/") == pattern.count("/") and PurePosixPath(path).match(pattern) for pattern in patterns)


def _checkpoint_of(name: str) -> PurePosixPath:
    """Return the checkpoint folder of a file in a repository."""
    path = PurePosixPath(name)
    return next(path.parents[file.count("/")] for file in FILES if path.match(file))
