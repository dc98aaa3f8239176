"""The checkpoints that a view offers, and those selected."""

from typing import Any

from charrnn.checkpoint import CheckpointError, CheckpointInfo
from charrnn.ui.server.checkpoint_store import LoadedModel, Store
from charrnn.ui.server.view_query import ViewQuery

AT_FIRST = ("rnn", "gru", "lstm", "minigpt")  # the four systems of the lab sheet


def ticked(store: Store, question: ViewQuery) -> list[CheckpointInfo]:
    """Return the selected checkpoints in picker order, by default one of each kind.

    Unknown names are ignored. Raises ValueError if there are no checkpoints.
    """
    infos = store.checkpoints()
    if not infos:
        raise CheckpointError(store.empty_reason())
    names = {question.choice.name or infos[0].name, *AT_FIRST} if question.names is None else set(question.names)
    return [info for info in infos if info.name in names]


def offered(store: Store, question: ViewQuery) -> dict[str, Any]:
    """Describe the checkpoints on offer: names, line styles and the selection."""
    from charrnn import figures

    infos = store.checkpoints()
    stroke = figures.strokes([info.name for info in infos])
    models = [{"name": each.name, "title": LoadedModel.title_of(each), **stroke[each.name]._asdict()} for each in infos]
    return {"models": models, "ticked": [info.name for info in ticked(store, question)]}
