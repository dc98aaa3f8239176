"""Clamps for a page without a server: usual values, and the text to measure on."""

from dataclasses import asdict
from typing import Any

from charrnn.clamps import Clamp
from charrnn.ui.neurons.clamp import describe_units, holdout_text
from charrnn.ui.server.checkpoint_store import LoadedModel, Store
from charrnn.ui.server.clamp_requests import ActivationStats, default_clamp
from charrnn.ui.server.view_query import ViewQuery


def clamp_template(store: Store, loaded: LoadedModel) -> dict[str, Any]:
    """
    Return the data for site/live_answers.js to answer the clamp view's queries.

    `usual`: by name, for each unit and last for all units, its mean as a clamp's value, then the 5 %, mean and 95 %.
    Raises ValueError.
    """
    stats = ActivationStats.of(store, loaded)
    source, notice = holdout_text(store, loaded, ViewQuery())

    def usual(name: str, unit: int | None) -> list[float]:
        return [mean := stats.mean(name, unit), *stats.describe(Clamp(name, unit, mean))["usual"]]

    return {
        "shown": describe_units(stats),
        "usual": {name: [usual(name, unit) for unit in [*range(stats.units), None]] for name in stats.values},
        "last_step": loaded.checkpoint.step,
        "default": asdict(default_clamp(stats)),
        "text": source.text,
        "origin": source.origin,
        "notice": notice,
    }
