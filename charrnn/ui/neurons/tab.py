"""The tab Neurons: leaderboard, one unit, clamps, gate saturation, exercises."""

from functools import partial

from charrnn.ui.neurons.clamp import clamp_effects
from charrnn.ui.neurons.exercises import exercise_results
from charrnn.ui.neurons.gate_saturation import gates
from charrnn.ui.neurons.leaderboard import leaderboard
from charrnn.ui.neurons.unit import unit_activations
from charrnn.ui.neurons.unit_scores import Units
from charrnn.ui.server.checkpoint_store import Store
from charrnn.ui.server.streaming import Part


def parts(store: Store) -> list[Part]:
    """Return the views of the tab, which share components/unit_selection.js."""
    units = Units(store)
    return [
        Part("cr-units", "neurons/leaderboard", partial(leaderboard, units), label="Which unit learnt what"),
        Part("cr-unit", "neurons/unit", partial(unit_activations, units), label="One unit"),
        Part("cr-clamp", "neurons/clamp", partial(clamp_effects, store), label="Freeze it"),
        Part("cr-exercises", "neurons/exercises", partial(exercise_results, store), label="Exercises"),
        Part("cr-gates", "neurons/gate_saturation", partial(gates, units), label="Gates"),
    ]
