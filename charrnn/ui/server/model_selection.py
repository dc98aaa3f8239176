"""The checkpoints on offer in a view, and the selected ones."""

from collections.abc import Sequence
from typing import Any

from charrnn.checkpoint import CheckpointError, CheckpointInfo
from charrnn.ui.server.checkpoint_store import LoadedModel, Store
from charrnn.ui.server.view_query import ViewQuery

DEFAULT_MODELS = ("rnn", "gru", "lstm", "minigpt")  # the four systems of the lab sheet


def selected(store: Store, query: ViewQuery) -> list[CheckpointInfo]:
    """Return the selected checkpoints in picker order, by default one of each kind.

    Unknown names are ignored. Raises ValueError if there are no checkpoints.
    """
    infos = store.checkpoints()
    if not infos:
        raise CheckpointError(store.empty_reason())
    names = _initial(infos, query) if query.names is None else query.names
    return [info for info in infos if info.name in names]


def _initial(infos: Sequence[CheckpointInfo], query: ViewQuery) -> list[str]:
    """Return the names that are selected before the page has a selection."""
    names = {query.choice.name or infos[0].name, *DEFAULT_MODELS}
    return [info.name for info in infos if info.name in names]


def models_payload(store: Store, query: ViewQuery) -> dict[str, Any]:
    """Describe the checkpoints on offer, the selection, and the initial one."""
    from charrnn import figures

    infos = store.checkpoints()
    titles = {info.name: LoadedModel.title_of(info) for info in infos}
    strokes = figures.strokes([*titles])
    models = [{"name": name, "title": title, **strokes[name]._asdict()} for name, title in titles.items()]
    names = [info.name for info in selected(store, query)]
    return {"models": models, "selected": names, "initial": _initial(infos, query)}
