"""The training curves of the selected checkpoints."""

from collections.abc import Iterator
from typing import Any

from charrnn.ui.server.checkpoint_store import LoadedModel, Store
from charrnn.ui.server.model_selection import models_payload, selected
from charrnn.ui.server.streaming import message
from charrnn.ui.server.view_query import ViewQuery


def training_curves(store: Store, query: ViewQuery) -> Iterator[str]:
    """Show the training curves of the selected checkpoints. Raises ValueError."""
    from charrnn import figures

    unit, span = query.one_of("unit", [*figures.UNITS]), query.one_of("span", figures.SPANS)
    parts, infos = query.some_of("parts", figures.PARTS), selected(store, query)
    if_empty = f"Choose at least one {'network' if parts else 'curve'}."
    more: dict[str, Any] = models_payload(store, query) | {"if_empty": if_empty}
    if not infos or not parts:
        yield message(query.number, if_empty, sentences=[figures.Sentence(if_empty)], **more)
        return
    stroke = figures.strokes([info.name for info in store.checkpoints()])
    runs = [figures.Run(LoadedModel.title_of(info), info.history, stroke[info.name], info.name) for info in infos]
    figure = figures.training_curves_figure(runs, query.width, parts, unit, span)
    sentences = figures.training_curves_sentences(runs, unit)
    yield message(query.number, figures.text_of(sentences), figure=figure, sentences=sentences, **more)
