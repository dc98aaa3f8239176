"""Text, next-character distribution and heatmap of the hidden state: one component, drawn in the page."""

from pathlib import Path

import gradio as gr

from charrnn.ui.assets import MOUNT

HERE = Path(__file__).parent

from gradio.events import Dependency

class LiveView(gr.HTML):
    """Its value is the newest message of the session (`messages.py`). Sends the event resend when one was lost."""

    def __init__(self) -> None:
        super().__init__(
            html_template=(HERE / "view.html").read_text(encoding="utf-8"),
            js_on_load=MOUNT,
            apply_default_css=False,
            elem_classes="cr-view",
            module="charrnn/live_view/view.js",
        )
    from typing import Callable, Literal, Sequence, Any, TYPE_CHECKING
    from gradio.blocks import Block
    if TYPE_CHECKING:
        from gradio.components import Timer
        from gradio.components.base import Component