"""Answers reduced to the selected models in the page equal those of the server."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from charrnn.ui.compare.training_curves import training_curves
from charrnn.ui.gradients.context_use import context_use_curves
from charrnn.ui.gradients.gradient_norms import curves
from charrnn.ui.server.checkpoint_store import Store
from charrnn.ui.server.request_parameters import Choice
from charrnn.ui.server.view_query import ViewQuery
from tests.node import node_json

pytestmark = pytest.mark.usefixtures("no_corpus")

View = Callable[[Store, ViewQuery], Iterator[str]]
VIEWS: dict[str, View] = {
    "gradient norms": lambda store, query: curves(store, query, lambda: True),
    "context use": lambda store, query: context_use_curves(store, query, lambda: True),
    "training curves": training_curves,
}
SELECTIONS = [None, [], ["minigpt"], ["nobody", "gru", "rnn"], ["lstm", "rnn-lab", "best", "lstm-layernorm", "minigpt"]]
PLACEMENT = {"ax", "ay"}  # the label of a curve stays where it is among all labels


def comparable(answer: dict[str, Any]) -> dict[str, Any]:
    """Return an answer without what depends on all models: axes, numbers, placement."""
    figure, table = answer["figure"], answer.get("table")
    labels = figure["layout"].get("annotations", []) if figure else []
    labels = [label for label in labels if "name" in label]
    return {
        **{name: answer[name] for name in ("words", "selected", "models", "initial", "if_empty")},
        "sentences": [text for text, _ in answer["sentences"]],
        "traces": figure and [without_axes(trace) for trace in figure["data"]],
        "labels": [{key: label[key] for key in label.keys() - PLACEMENT} for label in labels],
        "rows": table and table["rows"],
    }


def without_axes(trace: dict[str, Any]) -> dict[str, Any]:
    """Return a trace without a line's lower end, and with the first letters."""
    if trace["mode"] == "text":
        return trace | {key: trace[key][:100] for key in ("text", "y")}
    return trace | {"y": trace["y"][:1]} if len(set(trace.get("x", ()))) == 1 else trace


@pytest.mark.parametrize("view", VIEWS)
def test_selection_in_page_equals_that_of_server(store, view):
    def answer(choice: Choice, names: list[str] | None, **form: Any) -> dict[str, Any]:
        query = ViewQuery(choice=choice, names=None if names is None else tuple(names), form=form)
        return json.loads([*VIEWS[view](store, query)][-1])

    every = [info.name for info in store.checkpoints()]
    forms: list[dict[str, Any]] = [{"text": "too short"}]
    if view == "training curves":
        forms = [{"span": "whole", "parts": ["validation", "gradient norm"]}, {"parts": []}]
    step = 300 if view == "gradient norms" else None  # measured on another text
    cases = [(choice, names, {}) for choice in (Choice("rnn"), Choice("gru", step)) for names in SELECTIONS]
    cases += [(Choice("rnn"), names, form) for form in forms for names in SELECTIONS]
    sent = [{"answer": answer(choice, every, **form), "names": names} for choice, names, form in cases]
    for (choice, names, form), found in zip(cases, node_json("run_select_models.mjs", sent), strict=True):
        assert comparable(found) == comparable(answer(choice, names, **form)), (choice, names, form)
