"""The tab Neurons: what a unit means, where it says it, what happens when one is held, how gates stand."""

from charrnn.ui import clamp_part, exercises, gates_panel, unit_board, unit_panel
from charrnn.ui.store import Store
from charrnn.ui.units import Units


def build(store: Store) -> None:
    """Lay out the parts, one below the other; they share which unit is looked at (neurons_view/unit_choice.js)."""
    units = Units(store)
    unit_board.build(units)
    unit_panel.build(units)
    clamp_part.build(store)
    gates_panel.build(units)
    exercises.build(store)
