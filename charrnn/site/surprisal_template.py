"""Surprisal differences for a page without a server: default texts and stored surprisals."""

from typing import Any

from charrnn.ui.server.analyses import text_for
from charrnn.ui.server.checkpoint_store import Store


def surprisal_template(store: Store) -> dict[str, Any]:
    """
    Return what site/surprisal.js needs to answer the queries of the view.

    `sources`: the default texts; `source_of`: the index of each model's. `records`: by model, the columns of its stored
    surprisals on the held-out text.
    """
    sources: list[dict[str, Any]] = []
    source_of, records = {}, {}
    for info in store.checkpoints():
        found = text_for(store, store.load(info.name))
        writers = [{"sha256": writer.sha256, "step": writer.step} for writer in found.writers]
        source = {"text": found.text, "origin": found.origin, "writers": writers}
        if source not in sources:
            sources.append(source)
        source_of[info.name] = sources.index(source)
        if record := info.analyses.sections.get("bits"):
            records[info.name] = {**record.tables["kinds"], "data_sha256": record.facts.get("data_sha256")}
    return {"sources": sources, "source_of": source_of, "records": records}
