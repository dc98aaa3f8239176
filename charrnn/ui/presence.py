"""Who is here: the pages that are open, and what is forgotten of one that was closed."""

from collections import OrderedDict
from weakref import WeakValueDictionary

import gradio as gr

from charrnn.ui.session import Session

MOST_CLOSED = 20  # pages kept for a moment: one whose connection broke may be back


class Presence:
    """
    The visitors, by the name Gradio gives a page.

    Gradio itself would keep all it knows of a page, some 300 KB, until a thousand others have come.
    """

    def __init__(self) -> None:
        self._open: WeakValueDictionary[str, Session] = WeakValueDictionary()
        self._closed: OrderedDict[str, None] = OrderedDict()

    def here(self, name: str, session: Session) -> None:
        """A page is opened."""
        self._open[name] = session

    def gone(self, name: str, demo: gr.Blocks) -> None:
        """A page was closed: whatever still works for it ends, and one that was closed long ago is forgotten."""
        session = self._open.pop(name, None)
        if session is not None:
            session.leave()
        self._closed[name] = None
        self._closed.move_to_end(name)
        while len(self._closed) > MOST_CLOSED:
            forget(demo, self._closed.popitem(last=False)[0])


def forget(demo: gr.Blocks, name: str) -> None:
    """Let go of everything that Gradio keeps under the name of a page."""
    demo.state_holder.session_data.pop(name, None)
    demo.state_holder.time_last_used.pop(name, None)
    demo._queue.pending_messages_per_session.pop(name, None)
    demo._queue.pending_event_ids_session.pop(name, None)


def keep_no_statistics(demo: gr.Blocks) -> None:
    """Gradio would keep ten thousand events for a page of statistics, and count them anew after each."""
    demo._queue.ANALYTICS_MAX_EVENTS = 1
    demo._queue.ANAYLTICS_CACHE_FREQUENCY = 10**12  # its own spelling
