"""One view for every Plotly figure: keeps the zoom, follows light and dark, fits its box."""

import json

import gradio as gr

from charrnn.ui.assets import view


def plot_view() -> gr.HTML:
    """A place for one figure; its value is what `shown` or `said` makes."""
    return view("plot_view/plot", "cr-view")


def shown(light: str, dark: str, words: str, serial: int) -> str:
    """
    A figure, as Plotly JSON for either theme, and the same in words.

    The serial number makes each value differ from the one before, or the page would not notice it.
    """
    return f'{{"light":{light},"dark":{dark},"words":{json.dumps(words)},"serial":{serial}}}'


def said(words: str, serial: int) -> str:
    """No figure, and why."""
    return json.dumps({"light": None, "dark": None, "words": words, "serial": serial})
