"""Saliencies of every model on the default texts, for a page without a server."""

from typing import Any

from charrnn.ui.gradients.saliency import MAX_CHARS, chunks, log_saliency
from charrnn.ui.server.checkpoint_store import LoadedModel, Store
from charrnn.ui.server.default_text import default_texts


def saliency_template(store: Store) -> dict[str, Any]:
    """
    Return the data from which site/live_answers.js answers the view's queries.

    `sources`: the beginnings of the default texts; `source_of`: the index of each model's. `heat`: by model, for each
    source the saliencies of its characters from the second on; None if the model does not know all of them.
    """
    texts, source_of = default_texts(store)
    excerpts = [text.first(MAX_CHARS) for text in texts]
    return {
        "sources": [{"text": excerpt.text, "origin": excerpt.origin} for excerpt in excerpts],
        "source_of": source_of,
        "heat": {name: [_heat(store, store.load(name), excerpt.text) for excerpt in excerpts] for name in source_of},
    }


def _heat(store: Store, loaded: LoadedModel, text: str) -> list[Any] | None:
    if any(character not in loaded.vocab.ids for character in text):
        return None
    return [row for part in chunks(len(text), 0) for row in store.cache.compute(log_saliency, loaded, text, part)]
