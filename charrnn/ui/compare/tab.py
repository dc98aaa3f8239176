"""The tab Compare: a pair of models, a scoreboard, training curves."""

from functools import partial

from charrnn.paths import STUDY
from charrnn.ui.compare.samples import samples
from charrnn.ui.compare.scoreboard import scoreboard
from charrnn.ui.compare.surprisal_difference import differences
from charrnn.ui.compare.training_curves import training_curves
from charrnn.ui.server.checkpoint_store import Store
from charrnn.ui.server.streaming import Part


def parts(store: Store) -> list[Part]:
    """Return the views of the tab."""
    plot = "components/plot/plot"
    return [
        Part("cr-pair", "compare/pair"),
        Part(
            "cr-results",
            plot,
            lambda query, _: scoreboard(store, query, STUDY),
            "compare/scoreboard",
            label="scoreboard",
        ),
        Part("cr-dice", "compare/coupled_sampling", label="same luck, two networks"),
        Part("cr-delta", "compare/surprisal_difference", partial(differences, store), label="which letter, A vs B"),
        Part("cr-learning", "compare/samples", partial(samples, store), label="watch A learn"),
        Part(
            "cr-training",
            plot,
            lambda query, _: training_curves(store, query),
            "compare/training_curves",
            label="training curves",
        ),
    ]
