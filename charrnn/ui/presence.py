"""Who is here: the pages that are open, and what is forgotten of one that was closed."""

from collections import OrderedDict
from datetime import datetime, timedelta
from weakref import WeakValueDictionary

import gradio as gr

from charrnn.ui.session import Session

MOST_CLOSED = 20  # pages kept for a moment: one whose connection broke may be back
MOMENT = timedelta(seconds=2)  # in which what still works for a page that was closed comes to its end
LONG = timedelta(hours=1)


class Presence:
    """
    The visitors, by the name Gradio gives a page.

    Gradio itself would keep all it knows of a page, some 300 KB, until a thousand others have come.
    """

    def __init__(self) -> None:
        self._open: WeakValueDictionary[str, Session] = WeakValueDictionary()
        self._closed: OrderedDict[str, datetime] = OrderedDict()  # since when

    def here(self, name: str, session: Session) -> None:
        """A page is opened."""
        self._open[name] = session

    def gone(self, name: str, demo: gr.Blocks) -> None:
        """
        A page was closed: whatever still works for it ends, and one that was closed long ago is forgotten.

        It may be that its connection broke, and that it is used: then it stays, until it has been silent for long.
        """
        session = self._open.get(name)
        if session is not None:
            session.leave()
        now, used = datetime.now(), demo.state_holder.time_last_used
        self._closed[name] = now
        self._closed.move_to_end(name)
        for each, closed in list(self._closed.items())[:-MOST_CLOSED]:
            if not max(closed + MOMENT, now - LONG) < used.get(each, closed):
                del self._closed[each]
                forget(demo, each)


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
