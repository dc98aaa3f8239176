"""The tab Gradients: how far back learning reaches, for any set of models."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any

import gradio as gr

from charrnn.checkpoint import CheckpointInfo
from charrnn.corpus import Corpus, cached_tiny_shakespeare
from charrnn.gradient_flow import GradientFlow, gradient_flow
from charrnn.ui.messages import dropped_notice
from charrnn.ui.models import offered, ticked
from charrnn.ui.plot_view.plot_view import answer, answering, plot_view
from charrnn.ui.questions import Question
from charrnn.ui.store import Reader, Store
from charrnn.ui.table_view.table_view import Cell, Table, number

MAX_LAG = 128
POSITIONS = 512
POSITIONS_OF_WINDOWS = 128  # MiniGPT reads a whole window for each position: a second or two on one core
FAR_BACK = 100  # characters: what the lab sheet says contributes nothing
DEFAULT_TEXT = 10_000
LONGEST_TEXT = 20_000  # read in a fraction of a second


def build(store: Store) -> None:
    """Lay out the tab and let it answer; one measurement at a time, so that nobody measures what another just did."""
    measuring = Lock()

    def answers(question: Question, wanted: Callable[[], bool]) -> Iterator[str]:
        yield from curves(store, question, wanted, measuring)

    with gr.Column(elem_classes="cr-part", elem_id="cr-flow"):
        answering(store, plot_view("plot_view/gradients"), answers)


# ------------------------------------------------------------------------------------------------ measuring


def default_text(store: Store, reader: Reader) -> tuple[str, str]:
    """
    A text to measure on and what it is: validation characters where the corpus is at hand and the model knows them,
    else what the best model of the same vocabulary wrote.
    """
    corpus = cached_tiny_shakespeare()
    if corpus is not None and not reader.vocab.drop_unknown(corpus)[1]:
        parts = Corpus.from_text(corpus, reader.vocab)
        ids = parts.val_ids[:DEFAULT_TEXT].tolist()
        return reader.vocab.decode(ids), f"the validation part of Tiny Shakespeare (its first {len(ids):,} characters)"
    same = [info for info in store.infos() if info.vocab.characters == reader.vocab.characters and info.passage]
    best = min(same, key=lambda info: info.metrics.get("val_stream_nats", float("inf")), default=None)
    if best is None or best.sha256 == reader.info.sha256:
        return reader.passage, "a passage this model wrote itself"
    return reader.vocab.drop_unknown(best.passage)[0], f"a passage by “{Reader.title_of(best)}”"


def measured(store: Store, reader: Reader, own_text: str) -> tuple[GradientFlow, str]:
    """The gradient flow of a model on a text, worked out once, and what the text is. Raises ValueError."""
    text, what = text_for(store, reader, own_text)
    return store.worked_out(_key(reader, text), lambda: _measure(reader, text)), what


def text_for(store: Store, reader: Reader, own_text: str) -> tuple[str, str]:
    """The text a model is measured on, all of it known to the model, and what it is."""
    if own_text.strip():
        return reader.vocab.drop_unknown(own_text[:LONGEST_TEXT])[0], "your own text"
    best = tuple(info.sha256 for info in store.infos())  # another passage may become the best one
    corpus_is_there = cached_tiny_shakespeare() is not None
    key = ("default text", reader.info.sha256, best, corpus_is_there)
    return store.worked_out(key, lambda: default_text(store, reader))


def _key(reader: Reader, text: str) -> tuple:
    digest = hashlib.sha256(text.encode("utf-8")).hexdigest()
    return "gradient flow", reader.info.sha256, reader.checkpoint.step, digest


def _measure(reader: Reader, text: str) -> GradientFlow:
    positions = POSITIONS_OF_WINDOWS if reader.info.cell == "minigpt" else POSITIONS
    return gradient_flow(reader.checkpoint.model, reader.vocab.encode(text), MAX_LAG, positions)


# ------------------------------------------------------------------------------------------------ what the view shows


@dataclass(frozen=True, eq=False)
class Asked:
    """One model to measure: a ticked one, or (`ghost`) the untrained network of the one in the picker."""

    info: CheckpointInfo
    step: int
    ghost: bool = False

    @property
    def title(self) -> str:
        """Its name, with the step of its training where that is not the last one."""
        title = Reader.title_of(self.info)
        return title if self.step == self.info.saved_steps[-1] else f"{title}, step {self.step}"


def to_measure(store: Store, question: Question) -> tuple[list[Asked], Asked | None]:
    """The models to show, in the order of the picker, and which of them is the one in the picker. Raises ValueError."""
    infos = ticked(store, question)
    name, step = question.choice.name or store.infos()[0].name, question.choice.step
    asked = [Asked(info, info.saved_steps[-1] if info.name != name or step is None else step) for info in infos]
    return asked, next((one for one in asked if one.info.name == name), None)


def curves(store: Store, question: Question, wanted: Callable[[], bool], measuring: Lock) -> Iterator[str]:
    """
    The answers to a question, each with one curve more: what is known already comes at once, the picker's model next.

    A model that cannot be measured is left out and the reason told. Raises ValueError.
    """
    own_text = question.text("text", LONGEST_TEXT)
    asked, picked = to_measure(store, question)
    queue = sorted(asked, key=lambda one: one is not picked)
    if picked is not None and 0 in picked.info.saved_steps and picked.step != 0:
        queue.append(Asked(picked.info, 0, ghost=True))
    answers = Answers(store, question, asked, picked)
    waiting = [one for one in queue if not answers.knows(one, own_text)]
    while waiting and wanted():
        one = waiting.pop(0)
        yield answers.told(measuring=one.title)
        with measuring:
            if wanted():
                answers.measure(one, own_text)
    if wanted():
        yield answers.told()


class Answers:
    """The answers to one question: the curves found so far, and what is to be said about the others."""

    def __init__(self, store: Store, question: Question, asked: Sequence[Asked], picked: Asked | None):
        self.store, self.question, self.asked, self.picked = store, question, asked, picked
        self.found: dict[Asked, tuple[GradientFlow, str]] = {}
        self.notes: list[str] = []
        self.part = 0

    def knows(self, one: Asked, own_text: str) -> bool:
        """Take what was measured before; False where nobody did."""
        return self._try(one, own_text, self.store.known)

    def measure(self, one: Asked, own_text: str) -> None:
        """Measure one more."""
        self._try(one, own_text)

    def _try(self, one: Asked, own_text: str, known: Callable[[tuple], GradientFlow | None] | None = None) -> bool:
        try:
            reader = self.store.reader(one.info.name, one.step)
            text, what = text_for(self.store, reader, own_text)
            dropped = dropped_notice(reader.vocab.drop_unknown(own_text[:LONGEST_TEXT])[1])
            self.notes += [dropped["text"]] if dropped else []
            self.notes += [f"{one.title}: {notice}" for notice in reader.checkpoint.model.notices()]
            flow = known(_key(reader, text)) if known else measured(self.store, reader, own_text)[0]
            if flow is None:
                return False
            self.found[one] = flow, what
        except ValueError as error:
            self.notes += [] if one.ghost else [f"{one.title}: {error}."]
        return True

    def told(self, measuring: str = "") -> str:
        """One value of the view."""
        from charrnn import figures  # plotly takes its time: only a visitor who comes to this tab waits for it

        store, measured_now = self.store, [one for one in self.asked if one in self.found]
        notes = [f"Measuring {measuring} …" if measuring else "", *dict.fromkeys(self.notes)]
        self.part += 1
        if not measured_now:
            notes = notes if self.asked else ["Tick a model to see how far back its gradient reaches."]
            return self._answer(" ".join(filter(None, notes)), measuring)
        flows = [self.found[one][0] for one in measured_now]
        ghost = next((flow for one, (flow, _) in self.found.items() if one.ghost), None)
        drawn, themes = [], {}
        for theme, palette in (("light", figures.LIGHT), ("dark", figures.DARK)):
            stroke = figures.strokes([info.name for info in store.infos()], palette)
            drawn = [
                figures.Curve(one.title, flow, stroke[one.info.name])
                for one, flow in zip(measured_now, flows, strict=True)
            ]
            close = drawn[measured_now.index(self.picked)] if self.picked in measured_now else None
            made = figures.gradient_flow_figure(drawn, palette, self.question.width, close, ghost if close else None)
            themes[theme] = made.to_json() or ""
        words = figures.gradient_flow_words(drawn, [self.found[one][1] for one in measured_now])
        table = _table(list(zip(measured_now, flows, strict=True)))
        return self._answer(" ".join(filter(None, [words, *notes])), measuring, table=table.told(), **themes)

    def _answer(self, words: str, measuring: str, **more: Any) -> str:
        question = self.question
        models = offered(self.store, question)
        return answer(question.number, words, self.part, busy=bool(measuring), **models, **more)


def left_far_back(flow: GradientFlow) -> Cell:
    """What is left of the gradient FAR_BACK characters back."""
    left = float(flow.median[FAR_BACK])
    return number(left, "{:.2f}" if 0.01 <= left < 1000 else "{:.1e}")


def _table(rows: Sequence[tuple[Asked, GradientFlow]]) -> Table:
    """Half-life and horizon of every curve, and what is left far back."""
    from charrnn.figures import context_of

    def row(one: Asked, flow: GradientFlow) -> list[Cell]:
        context = context_of(flow)
        horizon = None if context is not None and flow.horizon_chars == context else flow.horizon_chars
        beyond = Cell(f"> {context or int(flow.lags[-1])}", float(context or flow.lags[-1]))
        return [
            Cell(one.title, model=one.info.name),
            number(flow.half_life_chars, "{:.1f}", "never"),
            beyond if horizon is None else number(horizon, "{:.1f}"),
            left_far_back(flow),
            number(flow.positions, "{}"),
        ]

    titles = ["model", "half-life", "1 % left at", f"left at k = {FAR_BACK}", "positions"]
    return Table("The same in numbers, in characters", titles, [row(one, flow) for one, flow in rows])
