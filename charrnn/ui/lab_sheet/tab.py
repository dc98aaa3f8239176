"""The tab Lab sheet: its claims and exercises, answered."""

from charrnn.paths import LAB_SHEET
from charrnn.ui.lab_sheet.answers import answers
from charrnn.ui.server.checkpoint_store import Store
from charrnn.ui.server.streaming import Part


def parts(_: Store) -> list[Part]:
    """Return the view of the tab."""
    return [Part("cr-lab", "lab_sheet/answers", lambda query, _: answers(query, LAB_SHEET))]
