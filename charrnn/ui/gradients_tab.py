"""The tab Gradients: how far back learning reaches."""

import hashlib

import gradio as gr

from charrnn.corpus import Corpus, cached_tiny_shakespeare
from charrnn.gradient_flow import GradientFlow, gradient_flow
from charrnn.ui.assets import read
from charrnn.ui.messages import dropped_notice
from charrnn.ui.plot_view.plot_view import plot_view, said, shown
from charrnn.ui.store import Reader, Store

MAX_LAG = 128
POSITIONS = 512
DEFAULT_TEXT = 10_000
LONGEST_TEXT = 20_000  # read in a fraction of a second


def build() -> tuple[gr.Textbox, gr.Button, gr.Button, gr.HTML]:
    """Lay out the tab: heading and definition, the plot, how to read it, and a place for one's own text."""
    with gr.Row(elem_classes="cr-gradients"):
        with gr.Column(elem_classes="cr-wide", scale=3, min_width=320):
            gr.HTML(read("plot_view/gradients_head.html"), apply_default_css=False)
            plot = plot_view()
            gr.HTML(read("plot_view/gradients_read.html"), apply_default_css=False)
        with gr.Column(elem_classes="cr-narrow", scale=1, min_width=260):
            text = gr.Textbox(
                label="your own text",
                placeholder="paste a text here, or keep the default",
                lines=8,
                max_lines=14,
                max_length=LONGEST_TEXT,
                elem_id="cr-own-text",
            )
            measure = gr.Button("Measure on this text", elem_classes="cr-button")
            default = gr.Button("Back to the default", elem_classes="cr-button")
    return text, measure, default, plot


def default_text(reader: Reader) -> tuple[str, str]:
    """A text to measure on and what it is: validation characters where the corpus is at hand, else the passage."""
    corpus = cached_tiny_shakespeare()
    if corpus is not None and not reader.vocab.drop_unknown(corpus)[1]:
        parts = Corpus.from_text(corpus, reader.vocab)
        ids = parts.val_ids[:DEFAULT_TEXT].tolist()
        return reader.vocab.decode(ids), f"the validation part of Tiny Shakespeare (its first {len(ids):,} characters)"
    return reader.passage, "a passage this model wrote itself"


def measured(store: Store, reader: Reader, own_text: str) -> tuple[GradientFlow, str]:
    """The gradient flow of a model on a text, worked out once, and what the text is. Raises ValueError."""
    if own_text.strip():
        text, what = reader.vocab.drop_unknown(own_text[:LONGEST_TEXT])[0], "your own text"
    else:
        text, what = store.worked_out(("default text", reader.info.sha256), lambda: default_text(reader))
    digest = hashlib.sha256(text.encode("utf-8")).hexdigest()
    key = ("gradient flow", reader.info.sha256, reader.checkpoint.step, digest)
    ids = reader.vocab.encode(text)
    return store.worked_out(key, lambda: gradient_flow(reader.checkpoint.model, ids, MAX_LAG, POSITIONS)), what


def picture(store: Store, reader: Reader | None, own_text: str, serial: int) -> str:
    """What the plot view shows for this model, the first one by default, and text; the reason where it cannot."""
    from charrnn import figures  # plotly takes its time: only a visitor who comes to this tab waits for it

    left_out = ""
    try:
        reader = reader or store.reader()
        dropped = dropped_notice(reader.vocab.drop_unknown(own_text[:LONGEST_TEXT])[1])
        left_out = f" {dropped['text']}" if dropped else ""
        flow, what = measured(store, reader, own_text)
        untrained = None
        if reader.checkpoint.step != reader.info.saved_steps[0]:
            first = store.reader(reader.info.name, reader.info.saved_steps[0])
            untrained, _ = measured(store, first, own_text)
    except ValueError as error:
        return said(f"{error}.{left_out}", serial)
    name = f"{reader.title}, step {reader.checkpoint.step}"
    light, dark = (
        figures.gradient_flow_figure(flow, name, palette, untrained).to_json()
        for palette in (figures.LIGHT, figures.DARK)
    )
    return shown(light or "", dark or "", figures.gradient_flow_words(flow, name, what) + left_out, serial)
