"""One view for every Plotly figure: keeps the zoom, follows light and dark, fits its box."""

import json
from pathlib import Path

import gradio as gr

from charrnn.ui.assets import MOUNT

HERE = Path(__file__).parent


class PlotView(gr.HTML):
    """Its value is what `shown` or `said` makes."""

    def __init__(self) -> None:
        super().__init__(
            html_template=(HERE / "plot.html").read_text(encoding="utf-8"),
            js_on_load=MOUNT,
            apply_default_css=False,
            elem_classes="cr-view",
            module="charrnn/plot_view/plot.js",
        )


def shown(light: str, dark: str, words: str) -> str:
    """A figure, as Plotly JSON for either theme, and the same in words."""
    return f'{{"light":{light},"dark":{dark},"words":{json.dumps(words)}}}'


def said(words: str) -> str:
    """No figure, and why."""
    return json.dumps({"light": None, "dark": None, "words": words})
