"""The row of links at the top of a tab, to its parts."""

from collections.abc import Iterable
from html import escape

from charrnn.ui.server.streaming import Part

MODULE = "components/tab_contents"


def tab_contents(parts: Iterable[Part]) -> str:
    """Return links to the parts that have a label, as HTML; "" for fewer than two."""
    labeled = [part for part in parts if part.label]
    links = "".join(f'<a href="#{part.elem_id}">{escape(part.label)}</a>' for part in labeled)
    return f'<nav class="cr-contents" aria-label="On this tab">{links}</nav>' if len(labeled) > 1 else ""
