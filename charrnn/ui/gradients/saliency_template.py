"""Saliencies for a page without a server: those of every model on the default texts."""

from typing import Any

from charrnn.ui.gradients.saliency import MAX_CHARS, chunks, log_saliency
from charrnn.ui.server.analyses import text_for
from charrnn.ui.server.checkpoint_store import LoadedModel, Store


def saliency_template(store: Store) -> dict[str, Any]:
    """
    Return what site/live_answers.js needs to answer the queries of the view.

    `sources`: the beginnings of the default texts; `source_of`: the index of each model's. `heat`: by model, for each
    source the saliencies of its characters from the second on; None if the model does not know all of them.
    """
    models = [store.load(info.name) for info in store.checkpoints()]
    own = {}
    for loaded in models:
        found = text_for(store, loaded).first(MAX_CHARS)
        own[loaded.info.name] = {"text": found.text, "origin": found.origin}
    sources = [source for i, source in enumerate(own.values()) if source not in [*own.values()][:i]]
    return {
        "sources": sources,
        "source_of": {name: sources.index(source) for name, source in own.items()},
        "heat": {loaded.info.name: [_heat(store, loaded, source["text"]) for source in sources] for loaded in models},
    }


def _heat(store: Store, loaded: LoadedModel, text: str) -> list[Any] | None:
    if any(character not in loaded.vocab.ids for character in text):
        return None
    return [row for part in chunks(len(text), 0) for row in store.cache.compute(log_saliency, loaded, text, part)]
