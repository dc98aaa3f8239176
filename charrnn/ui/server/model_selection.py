"""The checkpoints on offer in a view, and the selected ones."""

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
    names = {query.choice.name or infos[0].name, *DEFAULT_MODELS} if query.names is None else set(query.names)
    return [info for info in infos if info.name in names]


def models_payload(store: Store, query: ViewQuery) -> dict[str, Any]:
    """Describe the checkpoints on offer: names, line styles and the selection."""
    from charrnn import figures

    titles = {info.name: LoadedModel.title_of(info) for info in store.checkpoints()}
    strokes = figures.strokes([*titles])
    models = [{"name": name, "title": title, **strokes[name]._asdict()} for name, title in titles.items()]
    return {"models": models, "ticked": [info.name for info in selected(store, query)]}
