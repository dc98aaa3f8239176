"""The tab Neurons: concepts of units, activations, clamps and gate saturation."""

from charrnn.ui.neurons import clamp, exercises, gate_saturation, leaderboard, unit
from charrnn.ui.neurons.unit_scores import Units
from charrnn.ui.server.checkpoint_store import Store


def build(store: Store) -> None:
    """Lay out the views. They share the selected unit (components/unit_selection.js)."""
    units = Units(store)
    leaderboard.build(units)
    unit.build(units)
    clamp.build(store)
    gate_saturation.build(units)
    exercises.build(store)
