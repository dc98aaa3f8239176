"""
Publish checkpoints in one commit, with a tag per release.

Only listed files are sent, and files that charrnn did not publish are not replaced.
"""

import glob
import hashlib
import json
import os
import re
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, snapshot_download
from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, RepositoryNotFoundError
from huggingface_hub.hf_api import ModelInfo

from charrnn import __version__
from charrnn.checkpoint import (
    FILES,
    MODEL,
    STEPS,
    CheckpointError,
    CheckpointInfo,
    describe,
    list_checkpoints,
    load,
    resolve_inside,
)
from charrnn.export import RecordingError, graph_json
from charrnn.hub.download import matches_any
from charrnn.hub.errors import HubError, as_hub_errors, with_retries
from charrnn.hub.model_card import CARD, checkpoint_card, collection_card
from charrnn.hub.response_limits import LISTING_BYTES, LISTING_S, bounded
from charrnn.script_runner import shell_command

OBSOLETE = ("curve.png",)  # published by earlier versions; deleted by a new release
GRAPH = "graph.json"  # the recorded step, to run a network without Python; not read by charrnn
OURS = (*FILES, CARD, GRAPH, *OBSOLETE)
SIGNATURE = (MODEL, "config.json", "history.json")  # files that identify a folder of charrnn
MAX_LISTED = 5  # deleted files in a message
NUMBERED = re.compile(r"v([1-9]\d{0,8})")
MARK = re.compile(r"\bpublished with charrnn \d")  # part of every card
FRONT_MATTER = re.compile(r"\s*(---\n.*?\n---\s*)?", re.DOTALL)  # of a card that the Hub created, without text
MAX_CARD_BYTES = 1 << 20
TIMEOUT_S = 30


@dataclass(frozen=True)
class Release:
    """Files of a release by repository path, and the commit message."""

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
    """A published release: repository address, commit and tag."""

    url: str
    commit: str
    tag: str


def release(folder: Path, repo_id: str) -> Release:
    """
    Collect the files and cards of a checkpoint folder, or of a folder of them.

    Reads local files only. Raises CheckpointError for invalid checkpoints and for links out of the folder.
    """
    if (folder / MODEL).exists():
        info = describe(folder)
        if info.name.startswith("."):
            raise CheckpointError(f"{folder} is a hidden folder: give it another name to publish it")
        return Release(_files(info, checkpoint_card(info, repo_id)), f"{info.name}, step {info.step}")
    listed, refused = list_checkpoints(folder)
    infos = [info for info in listed if not info.name.startswith(".")]
    for reason in [reason for name, reason in refused.items() if not name.startswith(".")]:
        raise CheckpointError(reason.args[0])
    if not infos:
        raise CheckpointError(f"{folder} holds no checkpoint: train one, or name another folder")
    files: dict[str, Path | bytes] = {CARD: collection_card(infos, repo_id).encode()}
    for info in infos:
        files_of_checkpoint = _files(info, checkpoint_card(info, repo_id, below=info.name))
        files |= {f"{info.name}/{path}": content for path, content in files_of_checkpoint.items()}
    return Release(files, f"{len(infos)} checkpoints: {', '.join(info.name for info in infos)}"[:500])


def _files(info: CheckpointInfo, card: str) -> dict[str, Path | bytes]:
    """
    Return the files of one checkpoint, with its loadable saved steps.

    GRAPH is included if the step can be recorded. Raises CheckpointError for an unreadable step, which a push would
    delete from the Hub; else OSError.
    """
    for reason in info.unread:
        raise CheckpointError(f"{reason}: it would be missing; make it readable, or remove it")
    folder = info.folder
    existing = os.listdir(folder)
    paths = [folder / name for name in FILES if name in existing]
    paths += [folder / STEPS / f"{step:06d}.safetensors" for step in info.saved_steps[:-1]]
    listed = {path.relative_to(folder): resolve_inside(path) for path in sorted(paths)}
    home = folder.resolve()
    for name, real in listed.items():
        if real.is_relative_to(home) and real != home / name:
            raise CheckpointError(f"{folder / name} is a link to {real.relative_to(home)}: put the file itself there")
    files: dict[str, Path | bytes] = {CARD: card.encode()}
    with suppress(RecordingError):
        files[GRAPH] = json.dumps(graph_json(load(folder).model), separators=(",", ":")).encode()
    return {**files, **{name.as_posix(): real for name, real in listed.items()}}


def push(
    folder: Path,
    repo_id: str,
    *,
    private: bool = False,
    tag: str | None = None,
    replace: bool = False,
    notify: Callable[[str], None] = lambda line: None,
) -> PushResult:
    """
    Publish checkpoints in one commit with a tag, creating the repository if needed.

    The repository then holds these checkpoints and none of earlier ones; other files stay. A push of identical files
    makes no commit. The tag is the next of v1, v2, … unless given. replace: overwrite files that were not published
    with charrnn; else they are an error before anything is created. Raises CheckpointError for an invalid checkpoint,
    else HubError.
    """
    content = planned(folder, repo_id, tag=tag, replace=replace)
    api = HfApi(library_name="charrnn", library_version=__version__)
    with as_hub_errors(repo_id):
        url = with_retries(lambda: api.create_repo(repo_id, private=private or None, exist_ok=True), notify)
        commit = with_retries(lambda: _commit(api, repo_id, content, tag, replace, notify), notify)
        return PushResult(str(url), commit, with_retries(lambda: _tag(api, repo_id, commit, tag), notify))


def planned(
    folder: Path,
    repo_id: str,
    *,
    tag: str | None = None,
    replace: bool = False,
    notify: Callable[[str], None] = lambda line: None,
) -> Release:
    """
    Return the release that `push` would send, after the same checks; send nothing.

    `notify` is called with the deletions. Raises like `push`.
    """
    content = release(folder, repo_id)
    api = HfApi(library_name="charrnn", library_version=__version__)
    with as_hub_errors(repo_id):
        _additions(content)
        if head := with_retries(lambda: _head(api, repo_id), notify):
            delete_operations(_plan(api, repo_id, head, content, tag, replace), notify)
    return content


def require_ours(repo_id: str) -> None:
    """
    Raise HubError if a push of one checkpoint would certainly be refused.

    An unreachable Hub is not an error.
    """
    api = HfApi(library_name="charrnn", library_version=__version__)
    try:
        with as_hub_errors(repo_id):
            if head := _head(api, repo_id):
                existing = [file.rfilename for file in head.siblings or []]
                _require_ours(api, repo_id, head, [path for path in existing if matches_any(path, *OURS)])
    except HubError as error:
        if not error.is_temporary:
            raise


def _head(api: HfApi, repo_id: str) -> ModelInfo | None:
    """Return the repository's head; None if the repository does not exist."""
    try:
        return api.model_info(repo_id, files_metadata=True, timeout=TIMEOUT_S)
    except GatedRepoError:
        raise
    except RepositoryNotFoundError:
        return None


def _additions(content: Release) -> list[CommitOperationAdd]:
    return [CommitOperationAdd(path, part) for path, part in content.files.items()]


def _plan(api: HfApi, repo_id: str, head: ModelInfo, content: Release, tag: str | None, replace: bool) -> list[str]:
    """Return the deletions. Raises HubError for a used tag or foreign files."""
    existing = {file.rfilename for file in head.siblings or []}
    ours = _require_ours(api, repo_id, head, existing & content.files.keys(), replace)
    old = files_to_delete(existing, content.files, ours)
    tagged = None if tag is None else _tags(api, repo_id).get(tag)
    if tagged is not None and not (tagged == head.sha and not old and _is_same_release(head, content)):
        raise HubError(f"{repo_id} has a tag {tag} already, on another commit: choose another --tag")
    return old


def _require_ours(
    api: HfApi, repo_id: str, head: ModelInfo, replaced: Iterable[str], replace: bool = False
) -> set[str]:
    """Return the folders with a card of charrnn. Raises HubError for foreign files."""
    sizes = {file.rfilename: file.size or 0 for file in head.siblings or []}
    cards = [path for path, size in sizes.items() if matches_any(path, CARD, f"*/{CARD}") and size <= MAX_CARD_BYTES]
    ours, blank = set[str](), set[str]()
    with tempfile.TemporaryDirectory() as place, bounded(repo_id) as bounds:
        patterns = [glob.escape(path) for path in cards]
        if cards:
            bounds.within(
                LISTING_BYTES,
                LISTING_S,
                lambda: snapshot_download(
                    repo_id, revision=head.sha, allow_patterns=patterns, local_dir=place, token=api.token
                ),
            )
        for path in cards:
            text = (Path(place) / path).read_text(encoding="utf-8", errors="replace")
            ours |= {path.rpartition("/")[0]} if MARK.search(text) else set()
            blank |= {path} if FRONT_MATTER.fullmatch(text) else set()
    foreign = sorted(path for path in replaced if _folder_of(path) not in ours and path not in blank)
    if foreign and not replace:
        more = f" and {len(foreign) - MAX_LISTED} more" if len(foreign) > MAX_LISTED else ""
        raise HubError(
            f"{repo_id} holds files that were not published with charrnn and would be replaced: "
            f"{', '.join(foreign[:MAX_LISTED])}{more}; name another repository, or give publish.py --replace",
            "foreign",
        )
    return ours


def _folder_of(path: str) -> str:
    """Return the checkpoint folder of a listed file."""
    folder = path.rpartition("/")[0]
    return folder.rpartition("/")[0] if PurePosixPath(folder).name == "steps" else folder


def _commit(
    api: HfApi, repo_id: str, content: Release, tag: str | None, replace: bool, notify: Callable[[str], None]
) -> str:
    head = api.model_info(repo_id, files_metadata=True)
    deletions = delete_operations(_plan(api, repo_id, head, content, tag, replace), notify)
    return api.create_commit(
        repo_id, [*_additions(content), *deletions], commit_message=content.message, parent_commit=head.sha
    ).oid


def delete_operations(paths: Sequence[str], notify: Callable[[str], None]) -> list[CommitOperationDelete]:
    """Return the commit operations that delete these files; report them to `notify`."""
    if paths:
        more = f" and {len(paths) - MAX_LISTED} more" if len(paths) > MAX_LISTED else ""
        notify(f"deleting files that are no longer published: {', '.join(paths[:MAX_LISTED])}{more}")
    return [CommitOperationDelete(path) for path in paths]


def _is_same_release(head: ModelInfo, content: Release) -> bool:
    """Return whether the head already is this release, by git and LFS hashes."""
    names = {file.rfilename: file.lfs.sha256 if file.lfs else file.blob_id for file in head.siblings or []}
    for path, part in content.files.items():
        data = part if isinstance(part, bytes) else part.read_bytes()
        as_blob = hashlib.sha1(b"blob %d\0" % len(data) + data)
        if names.get(path) not in (as_blob.hexdigest(), hashlib.sha256(data).hexdigest()):
            return False
    return True


def _tag(api: HfApi, repo_id: str, commit: str, tag: str | None) -> str:
    tags = _tags(api, repo_id)
    matching = [name for name, target in tags.items() if target == commit and (name == tag or tag is None)]
    if matching:
        return matching[-1]
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


def files_to_delete(existing: Iterable[str], new: Iterable[str], ours: Iterable[str]) -> list[str]:
    """Return the published files of charrnn's folders that the new release lacks."""
    existing = set(existing)
    old = {folder for folder in ours if {f"{folder}/{name}".lstrip("/") for name in SIGNATURE} <= existing}
    matched = {path for path in existing if (folder := _folder_of(path)) in old and _is_ours(path, folder)}
    return sorted(matched - set(new))


def _is_ours(path: str, folder: str) -> bool:
    return matches_any(path.removeprefix(f"{folder}/"), *OURS)


def retry_line(script: Path, folder: Path, repo_id: str, *, private: bool = False) -> str:
    """Return the command that repeats a push; script: path of `publish.py`."""
    flags = ["--private"] if private else []
    return shell_command(script, "checkpoints", repo_id, "--folder", str(folder), *flags)
