"""The tab Neurons: leaderboard, one unit, clamps, gate saturation, exercises."""

from functools import partial

from charrnn.ui.neurons.clamp import clamped_sample
from charrnn.ui.neurons.exercises import exercise_results
from charrnn.ui.neurons.gate_saturation import gates
from charrnn.ui.neurons.leaderboard import leaderboard
from charrnn.ui.neurons.unit import unit_activations
from charrnn.ui.neurons.unit_scores import Units
from charrnn.ui.server.checkpoint_store import Store
from charrnn.ui.server.streaming import add_part


def build(store: Store) -> None:
    """Lay out the views. They share the selected unit (components/unit_selection.js)."""
    units = Units(store)
    add_part("cr-units", "neurons/leaderboard", partial(leaderboard, units))
    add_part("cr-unit", "neurons/unit", partial(unit_activations, units))
    add_part("cr-clamp", "neurons/clamp", partial(clamped_sample, store))
    add_part("cr-gates", "neurons/gate_saturation", partial(gates, units))
    add_part("cr-exercises", "neurons/exercises", partial(exercise_results, store))
