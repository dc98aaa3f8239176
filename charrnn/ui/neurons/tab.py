"""The tab Neurons: what a unit means, where it says it, what happens when one is held, how gates stand."""

from charrnn.ui.neurons import clamp, exercises, gate_saturation, leaderboard, unit
from charrnn.ui.neurons.unit_scores import Units
from charrnn.ui.server.checkpoint_store import Store


def build(store: Store) -> None:
    """Lay out the parts, one below the other; they share which unit is looked at (components/unit_selection.js)."""
    units = Units(store)
    leaderboard.build(units)
    unit.build(units)
    clamp.build(store)
    gate_saturation.build(units)
    exercises.build(store)
