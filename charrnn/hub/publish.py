"""Publish checkpoints: one commit or none, a tag for each release, and nothing but listed files."""

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi
from huggingface_hub.errors import HfHubHTTPError
from huggingface_hub.hf_api import ModelInfo

from charrnn import __version__
from charrnn.checkpoint import FILES, MODEL, CheckpointError, CheckpointInfo, at_home, describe, list_checkpoints
from charrnn.command import as_typed
from charrnn.hub.card import CARD, collection_card, model_card
from charrnn.hub.curve import curve_picture
from charrnn.hub.errors import HubError, as_hub_errors, patiently

CURVE = "curve.png"
OURS = (*FILES, CURVE, CARD)
SIGNATURE = (MODEL, "config.json", "history.json")  # a folder of a repository with all of these is one of ours
MOST_TOLD = 5  # of the files that are taken away
NUMBERED = re.compile(r"v([1-9]\d{0,8})")


@dataclass(frozen=True)
class Release:
    """What is to be published: files by their path in the repository, and what the commit says."""

    files: Mapping[str, Path | bytes]
    message: str

    def sizes(self) -> dict[str, int]:
        """Bytes by path."""
        return {
            path: len(content) if isinstance(content, bytes) else content.stat().st_size
            for path, content in self.files.items()
        }


@dataclass(frozen=True)
class PushResult:
    """Where a pushed release stands: the repository's address, the commit that holds it, and its tag."""

    url: str
    commit: str
    tag: str


def release(folder: Path, repo_id: str) -> Release:
    """
    What of a checkpoint folder, or of a folder of them, goes into a repository: the listed files, cards and curves.

    Reads this machine alone. Raises CheckpointError for what is no checkpoint or leads out of its folder.
    """
    if (folder / MODEL).exists():
        info = describe(folder)
        return Release(_files(info, model_card(info, repo_id)), f"{info.name}, step {info.step}")
    infos, refused = list_checkpoints(folder)
    if refused:
        raise CheckpointError(next(iter(refused.values())).args[0])
    if not infos:
        raise CheckpointError(f"{folder} holds no checkpoint: train one, or name another folder")
    files: dict[str, Path | bytes] = {CARD: collection_card(infos, repo_id).encode()}
    for info in infos:
        own = _files(info, model_card(info, repo_id, below=info.name))
        files |= {f"{info.name}/{path}": content for path, content in own.items()}
    return Release(files, f"{len(infos)} checkpoints: {', '.join(info.name for info in infos)}"[:500])


def _files(info: CheckpointInfo, card: str) -> dict[str, Path | bytes]:
    """What goes up of one checkpoint; of its steps those that can be loaded."""
    folder, steps = info.folder, {f"{step:06d}" for step in info.saved_steps[:-1]}
    picture: dict[str, Path | bytes] = {CURVE: curve_picture(info.history)} if len(info.history) > 1 else {}
    found = [path for name in FILES for path in folder.glob(name) if path.parent == folder or path.stem in steps]
    listed = {path.relative_to(folder).as_posix(): at_home(path) for path in sorted(found)}
    return {CARD: card.encode(), **picture, **listed}


def push(
    folder: Path,
    repo_id: str,
    *,
    private: bool = False,
    tag: str | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> PushResult:
    """
    Publish a checkpoint folder, or a folder of them, in one commit with a tag; where there is no repository it is made.
    private: so that others do not see it; else as its owner's new repositories are.

    The repository then holds these checkpoints and nothing of earlier ones; files of other kinds stay. A push of what
    is already there makes no commit. The tag is the next of v1, v2, … unless given. Raises CheckpointError for a folder
    that is no checkpoint, else HubError.
    """
    content = release(folder, repo_id)
    api = HfApi(library_name="charrnn", library_version=__version__)
    with as_hub_errors(repo_id):
        url = patiently(lambda: api.create_repo(repo_id, private=private or None, exist_ok=True), say)
        commit = patiently(lambda: _commit(api, repo_id, content, tag, say), say)
        return PushResult(str(url), commit, patiently(lambda: _tag(api, repo_id, commit, tag), say))


def _commit(api: HfApi, repo_id: str, content: Release, tag: str | None, say: Callable[[str], None]) -> str:
    head = api.model_info(repo_id, files_metadata=True)
    there = [file.rfilename for file in head.siblings or []]
    tagged = None if tag is None else _tags(api, repo_id).get(tag)
    if tagged is not None and not (tagged == head.sha and _holds(head, content)):
        raise HubError(f"{repo_id} has a tag {tag} already, on another commit: choose another --tag")
    additions = [CommitOperationAdd(path, part) for path, part in content.files.items()]
    deletions = taking_away(gone(there, content.files), say)
    return api.create_commit(
        repo_id, [*additions, *deletions], commit_message=content.message, parent_commit=head.sha
    ).oid


def taking_away(paths: Sequence[str], say: Callable[[str], None]) -> list[CommitOperationDelete]:
    """What a commit has to do so that these files are no longer there; `say` is told which."""
    if paths:
        more = f" and {len(paths) - MOST_TOLD} more" if len(paths) > MOST_TOLD else ""
        say(f"taking away what is not published any more: {', '.join(paths[:MOST_TOLD])}{more}")
    return [CommitOperationDelete(path) for path in paths]


def _holds(head: ModelInfo, content: Release) -> bool:
    """Whether a commit is this release already: as git or LFS name what they keep."""
    names = {file.rfilename: file.lfs.sha256 if file.lfs else file.blob_id for file in head.siblings or []}
    for path, part in content.files.items():
        data = part if isinstance(part, bytes) else part.read_bytes()
        as_blob = hashlib.sha1(b"blob %d\0" % len(data) + data)
        if names.get(path) not in (as_blob.hexdigest(), hashlib.sha256(data).hexdigest()):
            return False
    return not gone(names, content.files)


def _tag(api: HfApi, repo_id: str, commit: str, tag: str | None) -> str:
    tags = _tags(api, repo_id)
    mine = [name for name, target in tags.items() if target == commit and (name == tag or tag is None)]
    if mine:
        return mine[-1]
    numbers = [int(match[1]) for name in tags if (match := NUMBERED.fullmatch(name))]
    tag = tag or f"v{max(numbers, default=0) + 1}"
    try:
        api.create_tag(repo_id, tag=tag, revision=commit)
    except HfHubHTTPError as error:
        if error.response.status_code == 409:
            raise HubError(f"{repo_id} has a tag {tag} already, on another commit: choose another --tag") from error
        raise
    return tag


def _tags(api: HfApi, repo_id: str) -> dict[str, str]:
    return {tag.name: tag.target_commit for tag in api.list_repo_refs(repo_id).tags}


def gone(there: Iterable[str], new: Iterable[str]) -> list[str]:
    """The files of checkpoints published earlier that the new release has not; nobody else's."""
    there = set(there)
    folders = {path.rpartition("/")[0] for path in there if path.count("/") <= 1}
    ours = {folder for folder in folders if all(_below(folder, name) in there for name in SIGNATURE)}
    old = {_below(folder, name) for folder in ours for name in OURS}
    matched = {path for path in there if any(_matches(path, pattern) for pattern in old)}
    return sorted(matched - set(new))


def _below(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name


def _matches(path: str, pattern: str) -> bool:
    return path.count("/") == pattern.count("/") and PurePosixPath(path).match(pattern)


def retry_line(script: Path, folder: Path, repo_id: str, *, private: bool = False) -> str:
    """The command that does a push again; script: where `publish.py` is."""
    flags = ["--private"] if private else []
    return as_typed(script, "checkpoints", repo_id, "--folder", str(folder), *flags)
