"""Text, next-character distribution and heatmap of the hidden state: one component, drawn in the page."""

import gradio as gr

from charrnn.ui.assets import read


def live_view() -> gr.HTML:
    """
    Drawn in the page; its value is the newest message of the session (`messages.py`).

    Sends the event resend when a message was lost.
    """
    return gr.HTML(
        html_template=read("live_view/view.html"),
        js_on_load=read("mount.js"),
        apply_default_css=False,
        elem_classes="cr-view",
        module="charrnn/live_view/view.js",
    )
