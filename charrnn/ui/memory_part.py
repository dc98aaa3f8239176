"""Gradients, the memory that is used: effective context and replaced characters, kept figures at once, others live."""

from collections.abc import Callable, Iterator, Sequence
from threading import Lock
from typing import Any

import gradio as gr

from charrnn.checkpoint import CheckpointInfo
from charrnn.corpus import title_of
from charrnn.findings import FindingsError
from charrnn.memory import MemoryUsed, memory_of, memory_used
from charrnn.ui.assets import view
from charrnn.ui.gradients_tab import LONGEST_TEXT, Asked, text_for, to_measure
from charrnn.ui.messages import dropped_notice
from charrnn.ui.models import offered
from charrnn.ui.plot_view.plot_view import answer, answering
from charrnn.ui.questions import Question
from charrnn.ui.source_text import SourceText, given_text
from charrnn.ui.store import Reader, Store
from charrnn.ui.table_view.table_view import Cell, Table, number

LONGEST, PREDICTIONS, REPLACED = 128, 512, 256  # of a live measurement: seconds, not minutes
REPLACED_OF_WINDOWS = 96  # MiniGPT reads a whole window around each
SEED = 0


def build(store: Store) -> None:
    """Lay out the part and let it answer; one measurement at a time, so that nobody measures what another just did."""
    measuring = Lock()
    with gr.Column(elem_classes="cr-part", elem_id="cr-memory"):
        answering(
            view("memory_view/memory", "cr-view"),
            lambda question, wanted: memories(store, question, wanted, measuring),
        )


def kept(info: CheckpointInfo) -> MemoryUsed | None:
    """What was worked out when the checkpoint was made; None where there is nothing, or nothing that can be read."""
    found = info.analyses.sections.get("memory")
    try:
        return None if found is None else memory_of(found)
    except FindingsError:
        return None


def measure(reader: Reader, text: str) -> MemoryUsed:
    """Both measurements of a model on a text, in a size that one can wait for. Raises ValueError."""
    places = REPLACED_OF_WINDOWS if reader.info.cell == "minigpt" else REPLACED
    return memory_used(reader.checkpoint.model, reader.vocab.encode(text), SEED, LONGEST, PREDICTIONS, places)


def memories(store: Store, question: Question, wanted: Callable[[], bool], measuring: Lock) -> Iterator[str]:
    """The answers to a question, each with one model more; what is kept or known comes at once. Raises ValueError."""
    given = given_text(question, LONGEST_TEXT)
    asked, picked = to_measure(store, question)
    answers = Answers(store, question, asked, picked, given)
    waiting = [one for one in sorted(asked, key=lambda one: one is not picked) if not answers.knows(one)]
    while waiting and wanted():
        one = waiting.pop(0)
        yield answers.told(measuring=one.title)
        with measuring:
            if wanted():
                answers.measure(one)
    if wanted():
        yield answers.told()


class Answers:
    """The answers to one question: what was found so far, and what is to be said about the others."""

    def __init__(
        self, store: Store, question: Question, asked: Sequence[Asked], picked: Asked | None, given: SourceText | None
    ):
        self.store, self.question, self.asked, self.picked, self.given = store, question, asked, picked, given
        self.found: dict[Asked, tuple[MemoryUsed, SourceText]] = {}
        self.notes: list[str] = []
        self.part = 0

    def knows(self, one: Asked) -> bool:
        """Take what is kept beside the checkpoint, or was measured before; False where it is to be measured."""
        last = one.step == one.info.saved_steps[-1]
        used = kept(one.info) if last and self.given is None else None
        if used is not None:
            self.found[one] = used, SourceText("", f"the validation part of {title_of(one.info.data_sha256)}")
            return True
        try:
            reader, source = self._text(one)
        except ValueError as error:
            self.notes.append(f"{one.title}: {error}.")
            return True
        used = self.store.cache.known(measure, reader, source.text)
        if used is not None:
            self.found[one] = used, source
        return used is not None

    def measure(self, one: Asked) -> None:
        """Measure one more."""
        try:
            reader, source = self._text(one)
            self.found[one] = self.store.cache.compute(measure, reader, source.text), source
        except ValueError as error:
            self.notes.append(f"{one.title}: {error}.")

    def _text(self, one: Asked) -> tuple[Reader, SourceText]:
        reader = self.store.reader(one.info.name, one.step)
        dropped = dropped_notice(reader.vocab.drop_unknown(self.given.text if self.given else "")[1])
        self.notes += [dropped["text"]] if dropped and dropped["text"] not in self.notes else []
        return reader, text_for(self.store, reader, self.given)

    def told(self, measuring: str = "") -> str:
        """One value of the view."""
        from charrnn import figures  # plotly takes its time: only a visitor who comes to this tab waits for it

        notes = [f"Measuring {measuring} …" if measuring else "", *self.notes]
        here = [one for one in self.asked if one in self.found]
        self.part += 1
        if not here:
            notes = notes if self.asked else ["Tick a model to see how much of the text it uses."]
            return self._answer(" ".join(filter(None, notes)), measuring)
        stroke = figures.strokes([info.name for info in self.store.infos()])
        drawn = [figures.MemoryCurve(one.title, self.found[one][0], stroke[one.info.name]) for one in here]
        close = drawn[here.index(self.picked)] if self.picked in here else None
        figure = figures.memory_figure(drawn, self.question.width, close)
        words = figures.memory_words(drawn, [str(self.found[one][1]) for one in here])
        table = _table([(one, *self.found[one]) for one in here])
        return self._answer(" ".join(filter(None, [words, *notes])), measuring, figure=figure, table=table.told())

    def _answer(self, words: str, measuring: str, **more: Any) -> str:
        models = offered(self.store, self.question)
        return answer(self.question.number, words, self.part, busy=bool(measuring), **models, **more)


def context_cell(chars: int, longest: int) -> Cell:
    """A length of context, where it is one that was tried."""
    return number(chars, "{}") if chars <= longest else Cell(f"> {longest}", float(longest))


def _table(rows: Sequence[tuple[Asked, MemoryUsed, SourceText]]) -> Table:
    """The lengths of every model, and its loss with little context and with much."""

    def row(one: Asked, used: MemoryUsed, source: SourceText) -> list[Cell]:
        context, probe = used.context, used.corruption
        longest = len(context.n)
        lengths = [context.ecl_chars, context.ecl_share_chars, context.shuffled_ecl_chars]
        return [
            Cell(one.title, model=one.info.name),
            *(context_cell(chars, longest) for chars in lengths),
            context_cell(probe.felt_chars, len(probe.k) - 1),
            *(number(float(context.loss_nats[n - 1])) for n in (1, 8, 32) if n <= longest),
            number(float(context.loss_nats[-1])),
            number(context.predictions, "{:,}"),
            Cell(str(source)),
        ]

    titles = [
        "model",
        "0.01 nats",
        "1 %",
        "0.01, shuffled",
        "felt",
        "n = 1",
        "n = 8",
        "n = 32",
        "longest",
        "predictions",
        "of",
    ]
    caption = "Effective context at 0.01 nats, at 1 %, at 0.01 nats behind a shuffled prefix, and how long a replaced "
    caption += "character is felt, in characters; the loss with n characters of context, in nats"
    return Table(caption, titles, [row(*each) for each in rows])
