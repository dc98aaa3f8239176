"""The sidebar: models and settings, and the values of a link."""

import json
from pathlib import Path
from typing import Any

from charrnn.ui.server.checkpoint_store import LoadedModel, Store, quality_of, size_of
from charrnn.ui.server.generation_defaults import PROMPT
from charrnn.ui.server.share_link import DEFAULTS, TABS, ShareLink
from charrnn.ui.sidebar.python_source import python_source


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
            **python_source(store.root, info),
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
