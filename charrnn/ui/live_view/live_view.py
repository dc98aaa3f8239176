"""Text, next-character distribution and heatmap of the hidden state: one component, drawn in the page."""

import gradio as gr

from charrnn.ui.assets import view


def live_view() -> gr.HTML:
    """
    Drawn in the page; its value is the newest message of the session (`messages.py`).

    Sends the event resend when a message was lost.
    """
    return view("live_view/view", "cr-view")
