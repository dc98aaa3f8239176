"""Publish the page itself as a Space: text alone, so that git takes it as it is; its checkpoints come from the Hub."""

import re
from collections.abc import Callable
from pathlib import Path

from huggingface_hub import CommitOperationAdd, HfApi, SpaceHardware, constants

from charrnn import __version__
from charrnn.hub.errors import HubError, as_hub_errors, patiently
from charrnn.hub.publish import PushResult, Release, taking_away

VARIABLE = "CHARRNN_CHECKPOINTS"
PARTS = (
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
NOTEBOOK, SOME_SPACE = "docs/own_text.ipynb", "https://huggingface.co/spaces/owner/name"
LARGEST_BYTES = 10 * 1024 * 1024  # what a plain git push to the Hub may hold
GPU_TORCH = "torch==2.11.0"  # the newest that ZeroGPU lists
ITS_OWN = {".gitattributes"}  # what the Hub puts there itself


def space_release(root: Path, repo_id: str, checkpoints: str, *, zero_gpu: bool = False) -> Release:
    """
    What of the project in `root` goes into a Space, beside the name of the repository that has its checkpoints.

    Files that are no text, pictures above all, stay here, and what is hidden; the notebook fetches the project from
    this Space. Raises HubError where something of the app is missing, or is a link that leads out of `root`.
    """
    files: dict[str, Path | bytes] = {}
    for path in sorted({path for part in PARTS for path in root.glob(part) if path.is_file()}):
        if _is_hidden(path.relative_to(root)):
            continue
        if not path.resolve().is_relative_to(root.resolve()) or _is_hidden(path.resolve().relative_to(root.resolve())):
            raise HubError(f"{path} is a link that leads out of the project: put the file itself there")
        if _is_text(path):
            files[path.relative_to(root).as_posix()] = path
    if missing := {"app.py", "README.md", "requirements.txt"} - files.keys():
        raise HubError(f"{root} lacks {', '.join(sorted(missing))}: run it from a checkout of the project")
    files["README.md"] = _with_models((root / "README.md").read_text(encoding="utf-8"), checkpoints).encode()
    if NOTEBOOK in files:
        text = (root / NOTEBOOK).read_text(encoding="utf-8")
        files[NOTEBOOK] = text.replace(SOME_SPACE, f"{constants.ENDPOINT}/spaces/{repo_id}").encode()
    if zero_gpu:
        lines = (root / "requirements.txt").read_text(encoding="utf-8").splitlines()
        lines = [GPU_TORCH if line.startswith("torch==") else line for line in lines]
        files["requirements.txt"] = ("\n".join(lines) + "\n").encode()
    return Release(files, f"charrnn {__version__}, checkpoints of {checkpoints}")


def push_space(
    root: Path,
    repo_id: str,
    checkpoints: str,
    *,
    private: bool = False,
    zero_gpu: bool = False,
    say: Callable[[str], None] = lambda line: None,
) -> PushResult:
    """
    Publish the page as a Space, in one commit, which holds it and nothing else; the Space is made where there is none.

    Its variable CHARRNN_CHECKPOINTS names the repository of its checkpoints, which must be there. zero_gpu: a new one
    is made on that hardware, the only one on which an account without a paid plan may have it. Raises HubError.
    """
    content = space_release(root, repo_id, checkpoints, zero_gpu=zero_gpu)
    api = HfApi(library_name="charrnn", library_version=__version__)
    with as_hub_errors(checkpoints):
        patiently(lambda: api.model_info(checkpoints.partition("@")[0]), say)

    def create() -> str:
        hardware = SpaceHardware.ZERO_A10G if zero_gpu else None
        made = {"repo_type": "space", "space_sdk": "gradio", "space_hardware": hardware}
        return str(api.create_repo(repo_id, **made, private=private or None, exist_ok=True))

    def commit() -> str:
        head = api.space_info(repo_id)
        there = {file.rfilename for file in head.siblings or []}
        additions = [CommitOperationAdd(path, part) for path, part in content.files.items()]
        deletions = taking_away(sorted(there - content.files.keys() - ITS_OWN), say)
        made = api.create_commit(
            repo_id,
            [*additions, *deletions],
            commit_message=content.message,
            parent_commit=head.sha,
            repo_type="space",
        )
        return made.oid

    with as_hub_errors(repo_id):
        url = patiently(create, say)
        patiently(lambda: api.add_space_variable(repo_id, VARIABLE, checkpoints), say)
        return PushResult(url, patiently(commit, say), "")


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _is_text(path: Path) -> bool:
    content = path.read_bytes()
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return b"\0" not in content and len(content) <= LARGEST_BYTES


def _with_models(readme: str, checkpoints: str) -> str:
    """The README whose head names the repository of the checkpoints, which the Hub then links."""
    head, found, rest = readme.removeprefix("---\n").partition("\n---\n")
    if not found:
        raise HubError("README.md has no head for a Space: it begins and ends with a line of ---")
    head = re.sub(r"\nmodels:(\n {2}- .*)*", "", head)
    return f"---\n{head}\nmodels:\n  - {checkpoints.partition('@')[0]}\n---\n{rest}"
