"""The tab Compare: pair, scoreboard, coupled texts, surprisals, samples, curves."""

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
            label="Scoreboard",
        ),
        Part("cr-dice", "compare/coupled_sampling", label="Same luck"),
        Part("cr-delta", "compare/surprisal_difference", partial(differences, store), label="Which letter"),
        Part("cr-learning", "compare/samples", partial(samples, store), label="Watch A learn"),
        Part(
            "cr-training",
            plot,
            lambda query, _: training_curves(store, query),
            "compare/training_curves",
            label="How they learnt",
        ),
    ]
