"""The tab Gradients: how far back learning reaches, for any set of models."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any

import gradio as gr

from charrnn.checkpoint import CheckpointInfo
from charrnn.corpus import Corpus, cached_tiny_shakespeare, title_of
from charrnn.findings import FindingsError
from charrnn.gradient_flow import GradientFlow, flow_of, gradient_flow
from charrnn.ui.messages import dropped_notice
from charrnn.ui.models import offered, ticked
from charrnn.ui.plot_view.plot_view import answer, answering, plot_view
from charrnn.ui.questions import Question
from charrnn.ui.source_text import SourceText, given_text
from charrnn.ui.store import Reader, Store
from charrnn.ui.table_view.table_view import Cell, Table, number

MAX_LAG = 128
POSITIONS = 512
POSITIONS_OF_WINDOWS = 128  # MiniGPT reads a whole window for each position: a second or two on one core
FAR_BACK = 100  # characters: what the lab sheet says contributes nothing
DEFAULT_TEXT = 16_384  # characters: as many as scripts/analyse.py reads, so that the tab Compare shows the same figures
LONGEST_TEXT = 20_000  # read in a fraction of a second


def build(store: Store) -> None:
    """Lay out the tab and let it answer; one measurement at a time, so that nobody measures what another just did."""
    measuring = Lock()

    def answers(question: Question, wanted: Callable[[], bool]) -> Iterator[str]:
        yield from curves(store, question, wanted, measuring)

    with gr.Column(elem_classes="cr-part", elem_id="cr-flow"):
        answering(plot_view("plot_view/gradients"), answers)


# ------------------------------------------------------------------------------------------------ measuring


def default_text(store: Store, reader: Reader) -> SourceText:
    """
    A text to measure on: validation characters where the corpus is at hand and the model knows them, else what the best
    model of the same vocabulary wrote.
    """
    corpus = cached_tiny_shakespeare()
    if corpus is not None and not reader.vocab.drop_unknown(corpus)[1]:
        parts = Corpus.from_text(corpus, reader.vocab)
        text = reader.vocab.decode(parts.val_ids.tolist())
        part = "the validation part" if parts.sha256 == reader.info.data_sha256 else "the last tenth"
        return SourceText(text, f"{part} of {title_of(parts.sha256)}").first(DEFAULT_TEXT)
    same = [info for info in store.infos() if info.vocab.characters == reader.vocab.characters and info.passage]
    best = min(same, key=lambda info: info.metrics.get("val_stream_nats", float("inf")), default=None)
    if best is None or best.sha256 == reader.info.sha256:
        return SourceText.passage_of(reader.info, reader.passage)
    return SourceText.passage_of(best, reader.vocab.drop_unknown(best.passage)[0])


def measured(store: Store, reader: Reader, given: SourceText | None = None) -> tuple[GradientFlow, SourceText]:
    """
    The gradient flow of a model on a text, worked out once, and the text. Raises ValueError.

    Where no text is given, and the network is as its training left it, the flow that is kept beside the checkpoint.
    """
    if found := kept(reader, given):
        return found
    source = text_for(store, reader, given)
    return store.cache.compute(measure, reader, source.text), source


def kept(reader: Reader, given: SourceText | None) -> tuple[GradientFlow, SourceText] | None:
    """The flow that is kept and its text; None where there is none, or none that can be read, or another is wanted."""
    section = reader.info.analyses.sections.get("gradient")
    if section is None or given is not None or reader.checkpoint.step != reader.info.saved_steps[-1]:
        return None
    try:
        flow, characters = flow_of(section), int(section.number("characters_read", 1))
    except FindingsError:
        return None
    part = f"the validation part of {title_of(reader.info.data_sha256)}"
    return flow, SourceText("", f"{part} (its first {characters:,} characters)")


def text_for(store: Store, reader: Reader, given: SourceText | None = None) -> SourceText:
    """The text a model is measured on, all of it known to the model: the one given, or the default one."""
    if given is None:
        return store.cache.compute(default_text, store, reader)
    return given.with_text(reader.vocab.drop_unknown(given.first(LONGEST_TEXT).text)[0])


def measure(reader: Reader, text: str) -> GradientFlow:
    """The gradient flow of a model on a text that it knows. Raises ValueError."""
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
    given = given_text(question, LONGEST_TEXT)
    asked, picked = to_measure(store, question)
    queue = sorted(asked, key=lambda one: one is not picked)
    if picked is not None and 0 in picked.info.saved_steps and picked.step != 0:
        queue.append(Asked(picked.info, 0, ghost=True))
    answers = Answers(store, question, asked, picked)
    waiting = [one for one in queue if not answers.knows(one, given)]
    while waiting and wanted():
        one = waiting.pop(0)
        yield answers.told(measuring=one.title)
        with measuring:
            if wanted():
                answers.measure(one, given)
    if wanted():
        yield answers.told()


class Answers:
    """The answers to one question: the curves found so far, and what is to be said about the others."""

    def __init__(self, store: Store, question: Question, asked: Sequence[Asked], picked: Asked | None):
        self.store, self.question, self.asked, self.picked = store, question, asked, picked
        self.found: dict[Asked, tuple[GradientFlow, SourceText]] = {}
        self.notes: list[str] = []
        self.part = 0

    def knows(self, one: Asked, given: SourceText | None) -> bool:
        """Take what was measured before; False where nobody did."""
        return self._try(one, given, only_known=True)

    def measure(self, one: Asked, given: SourceText | None) -> None:
        """Measure one more."""
        self._try(one, given)

    def _try(self, one: Asked, given: SourceText | None, only_known: bool = False) -> bool:
        try:
            reader = self.store.reader(one.info.name, one.step)
            source, cache = text_for(self.store, reader, given), self.store.cache
            dropped = dropped_notice(reader.vocab.drop_unknown(given.text if given else "")[1])
            self.notes += [dropped["text"]] if dropped else []
            self.notes += [f"{one.title}: {notice}" for notice in reader.checkpoint.model.notices()]
            if found := kept(reader, given):
                self.found[one] = found
                return True
            flow = (cache.known if only_known else cache.compute)(measure, reader, source.text)
            if flow is None:
                return False
            self.found[one] = flow, source
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
        stroke = figures.strokes([info.name for info in store.infos()])
        drawn = [
            figures.Curve(one.title, flow, stroke[one.info.name]) for one, flow in zip(measured_now, flows, strict=True)
        ]
        close = drawn[measured_now.index(self.picked)] if self.picked in measured_now else None
        figure = figures.gradient_flow_figure(drawn, self.question.width, close, ghost if close else None)
        words = figures.gradient_flow_words(drawn, [str(self.found[one][1]) for one in measured_now])
        table = _table([(one, *self.found[one]) for one in measured_now])
        return self._answer(" ".join(filter(None, [words, *notes])), measuring, figure=figure, table=table.told())

    def _answer(self, words: str, measuring: str, **more: Any) -> str:
        question = self.question
        models = offered(self.store, question)
        return answer(question.number, words, self.part, busy=bool(measuring), **models, **more)


def left_far_back(flow: GradientFlow) -> Cell:
    """What is left of the gradient FAR_BACK characters back."""
    left = float(flow.median[FAR_BACK])
    return number(left, "{:.2f}" if 0.01 <= left < 1000 else "{:.1e}")


def _table(rows: Sequence[tuple[Asked, GradientFlow, SourceText]]) -> Table:
    """Half-life and horizon of every curve, what is left far back, and on what that was measured."""
    from charrnn.figures import context_of

    def row(one: Asked, flow: GradientFlow, source: SourceText) -> list[Cell]:
        context = context_of(flow)
        horizon = None if context is not None and flow.horizon_chars == context else flow.horizon_chars
        beyond = Cell(f"> {context or int(flow.lags[-1])}", float(context or flow.lags[-1]))
        return [
            Cell(one.title, model=one.info.name),
            number(flow.half_life_chars, "{:.1f}", "never"),
            beyond if horizon is None else number(horizon, "{:.1f}"),
            left_far_back(flow),
            number(flow.positions, "{}"),
            Cell(str(source)),
        ]

    titles = ["model", "half-life", "1 % left at", f"left at k = {FAR_BACK}", "positions", "of"]
    return Table("The same in numbers, in characters", titles, [row(*each) for each in rows])
