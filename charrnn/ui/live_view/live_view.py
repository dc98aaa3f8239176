"""Text, next-character distribution and heatmap of the hidden state: one component, drawn in the page."""

import gradio as gr

from charrnn.ui.assets import view


def live_view() -> gr.HTML:
    """The view of the page's session (session/session.js); no value and no events."""
    return view("live_view/view", "cr-view")
