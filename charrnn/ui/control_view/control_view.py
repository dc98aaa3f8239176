"""The left column: model, training step, sampling, prompt, buttons."""

import json

import gradio as gr

from charrnn.ui.assets import view
from charrnn.ui.store import Reader, Store, facts


def control_view() -> gr.HTML:
    """
    The controls as one component of plain form elements; its value is the list of models on offer.

    Sends the events write, pause, resume, step, stop, clear, settings and model, each with all the settings.
    """
    return view("control_view/control_view", "cr-left")


def offer(store: Store, reader: Reader | None) -> str:
    """The value of the view: the models on offer and the one in use; why there is none where there is none."""
    models = [
        {
            "name": info.name,
            "title": Reader.title_of(info),
            "facts": facts(info),
            "steps": info.saved_steps,
            "characters": len(info.vocab),
        }
        for info in store.infos()
    ]
    if reader is None:
        return json.dumps({"models": [], "problem": store.problem()})
    chosen = {"name": reader.info.name, "step": reader.checkpoint.step}
    return json.dumps({"models": models, "chosen": chosen})
