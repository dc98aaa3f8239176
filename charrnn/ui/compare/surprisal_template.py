"""Default texts and stored surprisals, for a page without a server."""

from typing import Any

import numpy as np

from charrnn.figures import surprisal_difference
from charrnn.surprisal import GroupMean
from charrnn.ui.compare.surprisal_difference import MAX_READ_CHARS
from charrnn.ui.server.analyses import bits_of
from charrnn.ui.server.checkpoint_store import Store
from charrnn.ui.server.default_text import default_texts

SCALE = 10_000  # to keep surprisals as whole numbers


def surprisal_template(store: Store, width: int) -> dict[str, Any]:
    """
    Return the data from which site/surprisal.js answers the view's queries.

    `sources`: the default texts; `source_of`: the index of each model's; `bits`: surprisals of `stored`, the part that
    is read, times `scale`, by the names of the models whose text it is. `records`: by model, the columns of its stored
    surprisals on the held-out text. `empty`: a figure with two bars, one for each sign, to fill.
    width: of the figure, in pixels.
    """
    texts, source_of = default_texts(store)
    sources: list[dict[str, Any]] = [
        {
            "text": text.text,
            "origin": text.origin,
            "writers": [{"sha256": writer.sha256, "step": writer.step} for writer in text.writers],
            "stored": text.text[:MAX_READ_CHARS],
            "bits": {},
            "scale": SCALE,
        }
        for text in texts
    ]
    for name, i in source_of.items():
        bits = bits_of(store, store.load(name), sources[i]["stored"], lambda: True)
        sources[i]["bits"][name] = np.round(SCALE * bits).astype(int).tolist()
    records = {}
    for info in store.checkpoints():
        if record := info.analyses.sections.get("bits"):
            records[info.name] = {**record.tables["kinds"], "data_sha256": record.facts.get("data_sha256")}
    bars = [GroupMean("", 1, 1.0, 1.0 - delta, delta, 0.0) for delta in (-1.0, 1.0)]
    figure = surprisal_difference.delta_bits_figure(bars, width).to_plotly_json()
    empty = {"figure": figure, "row": surprisal_difference.ROW}
    return {"sources": sources, "source_of": source_of, "records": records, "empty": empty}
