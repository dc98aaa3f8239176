"""The tab Compare."""

from functools import partial
from pathlib import Path

from charrnn.paths import STUDY
from charrnn.ui.compare.results_table import results
from charrnn.ui.compare.samples import samples
from charrnn.ui.compare.surprisal_difference import differences
from charrnn.ui.compare.training_curves import training_curves
from charrnn.ui.server.checkpoint_store import Store
from charrnn.ui.server.streaming import Part


def parts(store: Store, study: Path = STUDY) -> list[Part]:
    """Return the views of the tab: coupled sampling, Δ bits, curves, results, samples."""
    plot, table = "components/plot/plot", "components/table/table_view"
    return [
        Part("cr-dice", "compare/coupled_sampling"),
        Part("cr-delta", "compare/surprisal_difference", partial(differences, store)),
        Part("cr-training", plot, lambda query, _: training_curves(store, query), "compare/training_curves"),
        Part("cr-results", table, lambda query, _: results(store, query, study), heading="compare/results_table"),
        Part("cr-learning", "compare/samples", partial(samples, store)),
    ]
