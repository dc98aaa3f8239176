"""The sidebar: models and settings, and the values of a link."""

import json
from pathlib import Path
from typing import Any

from charrnn.checkpoint import CheckpointInfo
from charrnn.hub import commit_of
from charrnn.paths import BUNDLED
from charrnn.ui.server.checkpoint_store import LoadedModel, Store, quality_of, size_of
from charrnn.ui.server.generation_defaults import PROMPT
from charrnn.ui.server.share_link import DEFAULTS, TABS, ShareLink


def describe_models(store: Store, loaded: LoadedModel | None, link: ShareLink | None = None, **more: Any) -> str:
    """Encode the models on offer, the picked one, a link, and further fields."""
    if loaded is None:
        return json.dumps({"models": [], "problem": store.empty_reason(), "origin": origin(store), **more})
    models = [
        {
            "name": info.name,
            "title": LoadedModel.title_of(info),
            "size": size_of(info),
            "quality": quality_of(info),
            "steps": info.saved_steps,
            "characters": len(info.vocab),
            "vocabulary": info.vocab.characters,
            "prompt": info.vocab.default_prompt(PROMPT),
            "sha256": info.sha256,
            **source(store.root, info),
        }
        for info in store.checkpoints()
    ]
    chosen = {"name": loaded.info.name, "step": loaded.checkpoint.step}
    shown = {"models": models, "chosen": chosen, "defaults": DEFAULTS, "tabs": TABS, "origin": origin(store)}
    shown |= {"link": link.to_json(), "notice": link.notice()} if link else {}
    return json.dumps(shown | {"refused": store.refused(), **more})


def origin(store: Store) -> dict[str, str] | None:
    """Describe the Hub commit of the models; None for a local folder."""
    if Path(store.origin.source).is_dir():
        return None
    commit = store.origin.commit
    where = f"{store.origin.source.partition('@')[0]} at commit {commit[:8]}" if commit else store.origin.source
    return {"where": where, "commit": commit or "", "notice": store.origin.notice}


def source(root: Path, info: CheckpointInfo) -> dict[str, Any]:
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
