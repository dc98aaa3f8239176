"""Publish the app, with a Hub repository, or the static page as a Space."""

import os
import re
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

from huggingface_hub import CommitOperationAdd, HfApi, SpaceHardware, constants
from huggingface_hub.errors import RepositoryNotFoundError
from huggingface_hub.hf_api import SpaceInfo

from charrnn import __version__
from charrnn.hub.errors import HubError, as_hub_errors, with_retries
from charrnn.hub.upload import PushResult, Release, delete_operations

VARIABLE = "CHARRNN_CHECKPOINTS"
INCLUDED = (
    "app.py",
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "LICENSE",
    "requirements.txt",
    *(f"charrnn/**/*.{kind}" for kind in ("py", "js", "css", "html")),
    "scripts/*.py",
    *(f"docs/*.{kind}" for kind in ("md", "json", "ipynb")),
)
NOTEBOOK, EXAMPLE_SPACE = "docs/own_text.ipynb", "https://huggingface.co/spaces/owner/name"
MAX_BYTES = 10 * 1024 * 1024  # limit of a plain git push to the Hub
GPU_TORCH = "torch==2.11.0"  # the newest that ZeroGPU lists
HUB_FILES = {".gitattributes"}  # created by the Hub
SIGNATURES = {"app.py", "charrnn/__init__.py"}, {"index.html", "charrnn/site.json"}  # each identifies our Space
STATIC_README = """---
title: Char-RNN Lab
emoji: 🎭
colorFrom: blue
colorTo: yellow
sdk: static
app_file: index.html
license: mit
short_description: Watch a hand-written RNN write, in your browser
pinned: false
---

An interactive lab for character-level recurrent language models, without a server: the networks run in the page.
Published with charrnn {version}.
"""


def space_release(root: Path, repo_id: str, checkpoints: str, *, zero_gpu: bool = False) -> Release:
    """
    Collect the files of a Space and the name of its checkpoint repository.

    Only files tracked by git are included, without hidden or binary ones. The notebook fetches the project from this
    Space. Raises HubError if a file of the app is missing or is a link to an untracked file, or if `root` is no
    checkout.
    """
    files: dict[str, Path | bytes] = {}
    tracked, home = _tracked(root), root.resolve()
    for path in sorted({path for part in INCLUDED for path in root.glob(part) if path.is_file()}):
        real = path.resolve()
        if _is_hidden(path.relative_to(root)) or path.relative_to(root).as_posix() not in tracked:
            continue
        if not real.is_relative_to(home) or real.relative_to(home).as_posix() not in tracked:
            raise HubError(f"{path} is a link out of the project: put the file itself there")
        if _is_text(path):
            files[path.relative_to(root).as_posix()] = path
    if missing := {"app.py", "README.md", "requirements.txt"} - files.keys():
        raise HubError(f"{root} lacks {', '.join(sorted(missing))}: run it from a checkout of the project")
    files["README.md"] = _with_models((root / "README.md").read_text(encoding="utf-8"), checkpoints).encode()
    if NOTEBOOK in files:
        text = (root / NOTEBOOK).read_text(encoding="utf-8")
        files[NOTEBOOK] = text.replace(EXAMPLE_SPACE, f"{constants.ENDPOINT}/spaces/{repo_id}").encode()
    if zero_gpu:
        lines = (root / "requirements.txt").read_text(encoding="utf-8").splitlines()
        lines = [GPU_TORCH if line.startswith("torch==") else line for line in lines]
        files["requirements.txt"] = ("\n".join(lines) + "\n").encode()
    return Release(files, f"charrnn {__version__}, checkpoints of {checkpoints}")


def static_release(files: Mapping[str, bytes]) -> Release:
    """Return the static page as the files of a Space."""
    readme = STATIC_README.format(version=__version__).encode()
    return Release({"README.md": readme, **files}, f"charrnn {__version__}, static page")


def push_space(
    content: Release,
    repo_id: str,
    *,
    checkpoints: str | None = None,
    private: bool = False,
    zero_gpu: bool = False,
    replace: bool = False,
    notify: Callable[[str], None] = lambda line: None,
) -> PushResult:
    """
    Publish a Space in one commit, creating it if needed.

    checkpoints: repository for the app, stored in the Space's variable CHARRNN_CHECKPOINTS; None for a static page.
    zero_gpu: create it on that hardware, the only one available without a paid plan. replace: also overwrite a Space of
    another project. Raises HubError.
    """
    require_space(content, repo_id, checkpoints=checkpoints, replace=replace)
    api = HfApi(library_name="charrnn", library_version=__version__)

    def create() -> str:
        hardware = SpaceHardware.ZERO_A10G if zero_gpu else None
        options = {"repo_type": "space", "space_sdk": "gradio" if checkpoints else "static", "space_hardware": hardware}
        return str(api.create_repo(repo_id, **options, private=private or None, exist_ok=True))

    def commit() -> str:
        head = api.space_info(repo_id)
        additions = [CommitOperationAdd(path, part) for path, part in content.files.items()]
        deletions = delete_operations(_files_to_delete(repo_id, head, content, replace), notify)
        commit = api.create_commit(
            repo_id,
            [*additions, *deletions],
            commit_message=content.message,
            parent_commit=head.sha,
            repo_type="space",
        )
        return commit.oid

    with as_hub_errors(repo_id):
        url = with_retries(create, notify)
        if checkpoints:
            with_retries(lambda: api.add_space_variable(repo_id, VARIABLE, checkpoints), notify)
        return PushResult(url, with_retries(commit, notify), "")


def require_space(
    content: Release,
    repo_id: str,
    *,
    checkpoints: str | None = None,
    replace: bool = False,
    notify: Callable[[str], None] = lambda line: None,
) -> None:
    """
    Check that the checkpoints exist and that the Space may be replaced.

    `notify` is called with the deletions. Raises HubError.
    """
    api = HfApi(library_name="charrnn", library_version=__version__)
    if checkpoints:
        with as_hub_errors(checkpoints):
            with_retries(lambda: api.model_info(checkpoints.partition("@")[0]), notify)
    with as_hub_errors(repo_id):
        try:
            head = with_retries(lambda: api.space_info(repo_id), notify)
        except RepositoryNotFoundError:
            return
        delete_operations(_files_to_delete(repo_id, head, content, replace), notify)


def _files_to_delete(repo_id: str, head: SpaceInfo, content: Release, replace: bool) -> list[str]:
    """Return the files to delete. Raises HubError for a Space of another project."""
    existing = {file.rfilename for file in head.siblings or []} - HUB_FILES
    is_ours = any(existing >= signature for signature in SIGNATURES)
    if not (replace or is_ours or existing <= {"README.md"}):  # a new Space has only the Hub's README
        raise HubError(
            f"{repo_id} is a Space of another project, with {len(existing)} files that would be replaced: name another "
            "one, or give --replace",
            "foreign",
        )
    return sorted(existing - content.files.keys())


def _tracked(root: Path) -> set[str]:
    """Return the files tracked by git. Raises HubError outside a checkout."""
    known = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    words = ["git", "-C", str(root), "ls-files", "-z"]
    try:
        listed = subprocess.run(words, capture_output=True, env=known, check=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        why = (getattr(error, "stderr", b"") or b"").decode("utf-8", "replace").strip() or str(error)
        raise HubError(f"{root} is no git checkout, so the project's files are unknown: {why}") from None
    return set(os.fsdecode(listed).split("\0")) - {""}


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _is_text(path: Path) -> bool:
    content = path.read_bytes()
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return b"\0" not in content and len(content) <= MAX_BYTES


def _with_models(readme: str, checkpoints: str) -> str:
    """Add the checkpoint repository to the README's front matter, for the Hub to link."""
    head, found, rest = readme.removeprefix("---\n").partition("\n---\n")
    if not found:
        raise HubError("README.md has no front matter for a Space, between lines of ---")
    head = re.sub(r"\nmodels:(\n {2}- .*)*", "", head)
    return f"---\n{head}\nmodels:\n  - {checkpoints.partition('@')[0]}\n---\n{rest}"
