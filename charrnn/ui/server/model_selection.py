"""Which checkpoints a view can show, and which it does."""

from typing import Any

from charrnn.checkpoint import CheckpointError, CheckpointInfo
from charrnn.ui.server.checkpoint_store import Reader, Store
from charrnn.ui.server.view_query import Question

AT_FIRST = ("rnn", "gru", "lstm", "minigpt")  # the four systems of the lab sheet


def ticked(store: Store, question: Question) -> list[CheckpointInfo]:
    """
    The checkpoints to show, in the order of the picker: those the visitor ticked, at first one of each kind.

    What is no longer there is left out. Raises ValueError where there is no checkpoint at all.
    """
    infos = store.infos()
    if not infos:
        raise CheckpointError(store.problem())
    names = {question.choice.name or infos[0].name, *AT_FIRST} if question.names is None else set(question.names)
    return [info for info in infos if info.name in names]


def offered(store: Store, question: Question) -> dict[str, Any]:
    """What the page needs to offer the checkpoints: names, lines, and those that are ticked."""
    from charrnn import figures

    infos = store.infos()
    stroke = figures.strokes([info.name for info in infos])
    models = [{"name": each.name, "title": Reader.title_of(each), **stroke[each.name]._asdict()} for each in infos]
    return {"models": models, "ticked": [info.name for info in ticked(store, question)]}
