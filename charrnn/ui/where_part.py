"""Gradients, where it goes: what each character of a text means to one logit, for two models on one scale."""

import hashlib
import math
from collections.abc import Callable, Iterator, Sequence
from threading import Lock

import gradio as gr

from charrnn.gradient_flow import character_heat
from charrnn.ui.assets import view
from charrnn.ui.gradients_tab import MAX_LAG, text_for
from charrnn.ui.plot_view.plot_view import answer, answering
from charrnn.ui.questions import Question
from charrnn.ui.sides import known_to_both, pickers, sides
from charrnn.ui.store import Reader, Store
from charrnn.ui.wishes import count_of

LONGEST = 240  # characters that are shown, each with what all before it meant
PIECE = 40  # characters that are worked out at once: who no longer waits for the rest can stop in between


def build(store: Store) -> None:
    """Lay out the part and let it answer; one measurement at a time, so that nobody measures what another just did."""
    measuring = Lock()
    with gr.Column(elem_classes="cr-part", elem_id="cr-where"):
        shown = view("memory_view/where", "cr-view")
        answering(store, shown, lambda question, wanted: heats(store, question, wanted, measuring))


def heats(store: Store, question: Question, wanted: Callable[[], bool], measuring: Lock) -> Iterator[str]:
    """
    The answers to a question: what stands before the character at the cursor first, then a piece of the others each.

    Raises ValueError for models that are not there and a text that is too short.
    """
    readers = sides(store, question)
    text, what, note = passage(store, readers, question)
    told = {**pickers(store, readers), "text": text}
    words = " ".join(filter(None, [f"{len(text)} characters of {what}.", note]))
    cursor = min(max(1, count_of("position", question.form)), len(text) - 1)
    todo = [[cursor], *pieces(len(text), cursor)]
    for part, targets in enumerate(todo):
        with measuring:
            if not wanted():
                return
            heat = [heat_of(store, reader, text, targets) for reader in readers]
        busy = part < len(todo) - 1
        yield answer(question.number, words, part, busy=busy, targets=targets, heat=heat, **told)


def passage(store: Store, readers: Sequence[Reader], question: Question) -> tuple[str, str, str]:
    """The text that both read, what it is, and what of it they do not. Raises ValueError."""
    own = question.text("text", LONGEST)
    given = {"own": "the text you gave", "write": "the text of Write: its cursor is the one here"}
    source = given[question.one_of("of", [*given])]
    text, what = (own, source) if own.strip() else text_for(store, readers[0], "")
    text, note = known_to_both(readers, text[:LONGEST])
    if len(text) < 2:
        raise ValueError("give a text of 2 characters or more that both models know")
    return text, what, note


def pieces(length: int, cursor: int) -> list[list[int]]:
    """The other characters that something stands before, those near the cursor first."""
    near = sorted((i for i in range(1, length) if i != cursor), key=lambda i: abs(i - cursor))
    return [near[first : first + PIECE] for first in range(0, len(near), PIECE)]


def heat_of(store: Store, reader: Reader, text: str, targets: Sequence[int]) -> list[list[int | None]]:
    """
    For each target character: what the one before it, two before it, … meant to its logit, in hundredths of a decade.

    A null where that is exactly nothing.
    """
    digest = hashlib.sha256(text.encode("utf-8")).hexdigest()
    key = ("connectivity", reader.info.sha256, reader.checkpoint.step, digest)
    known: dict[int, list[int | None]] = store.worked_out(key, dict)
    missing = [target for target in targets if target not in known]
    if missing:
        heat = character_heat(reader.checkpoint.model, reader.vocab.encode(text), missing, MAX_LAG)
        for target, column in zip(missing, heat.T, strict=True):  # (K + 1,)
            known[target] = [round(100 * math.log10(norm)) if norm > 0 else None for norm in column[:target].tolist()]
    return [known[target] for target in targets]
