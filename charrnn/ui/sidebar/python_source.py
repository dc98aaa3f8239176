"""Where "Copy as Python" loads a checkpoint from."""

from pathlib import Path
from typing import Any

from charrnn.checkpoint import CheckpointInfo
from charrnn.hub import commit_of
from charrnn.paths import BUNDLED


def python_source(root: Path, info: CheckpointInfo) -> dict[str, Any]:
    """Return the Python expression of a checkpoint's source.

    A download is named by its commit, a bundled checkpoint by its name, another folder relative to the working
    directory. Of a folder outside of it only the last part is given, and `note` asks for the rest.
    """
    commit = commit_of(root)
    if commit is not None and root.parent.parent.name.startswith("models--"):
        repository = root.parent.parent.name.removeprefix("models--").replace("--", "/")
        subfolder = info.folder.relative_to(root).as_posix()
        resolved = f"hub.resolve({repository + '@' + commit!r})" + ("" if subfolder == "." else f" / {subfolder!r}")
        return {"source": resolved, "imports": ["from charrnn import hub"]}
    folder = info.folder.resolve()
    if folder.is_relative_to(BUNDLED):
        bundled = folder.relative_to(BUNDLED).as_posix()
        return {"source": f"BUNDLED / {bundled!r}", "imports": ["from charrnn.paths import BUNDLED"]}
    if folder.is_relative_to(Path.cwd()):
        folder, note = folder.relative_to(Path.cwd()), "from the folder in which the app was started"
    else:
        folder, note = Path(root.resolve().name) / info.folder.relative_to(root), "give the place of this folder"
    return {"source": f"Path({folder.as_posix()!r})", "imports": ["from pathlib import Path", ""], "note": note}
