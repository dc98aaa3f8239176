"""A view that measures the ticked models on one text: what is known comes at once, then one model more each time."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any

from charrnn.checkpoint import CheckpointInfo
from charrnn.corpus import Corpus, cached_tiny_shakespeare, title_of
from charrnn.ui.messages import dropped_notice
from charrnn.ui.models import offered, ticked
from charrnn.ui.plot_view.plot_view import answer
from charrnn.ui.questions import Question, Wanted, require
from charrnn.ui.source_text import SourceText, given_text
from charrnn.ui.store import Reader, Store
from charrnn.ui.table_view.table_view import Table

DEFAULT_TEXT = 16_384  # characters: as many as scripts/analyse.py reads, so that the tab Compare shows the same figures
LONGEST_TEXT = 20_000  # read in a fraction of a second


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


def text_for(store: Store, reader: Reader, given: SourceText | None = None) -> SourceText:
    """The text a model is measured on, all of it known to the model: the one given, or the default one."""
    if given is None:
        return store.cache.compute(default_text, store, reader)
    return given.with_text(reader.vocab.drop_unknown(given.first(LONGEST_TEXT).text)[0])


@dataclass(frozen=True, eq=False)
class Asked:
    """One model to measure: a ticked one, or (`ghost`) the untrained network of the one in the picker."""

    info: CheckpointInfo
    step: int
    ghost: bool = False

    @property
    def is_last(self) -> bool:
        """Whether the network is as its training left it."""
        return self.step == self.info.saved_steps[-1]

    @property
    def title(self) -> str:
        """Its name, with the step of its training where that is not the last one."""
        title = Reader.title_of(self.info)
        return title if self.is_last else f"{title}, step {self.step}"


Found = dict[Asked, tuple[Any, SourceText]]  # what was measured, on which text


def to_measure(store: Store, question: Question) -> tuple[list[Asked], Asked | None]:
    """The models to show, in the order of the picker, and which of them is the one in the picker. Raises ValueError."""
    infos = ticked(store, question)
    name, step = question.choice.name or store.infos()[0].name, question.choice.step
    asked = [Asked(info, info.saved_steps[-1] if info.name != name or step is None else step) for info in infos]
    return asked, next((one for one in asked if one.info.name == name), None)


@dataclass(frozen=True)
class AnalysisView:
    """
    What a view of the ticked models measures, and how it shows that.

    kept: what lies beside a checkpoint, and its text; None where nothing does that can be read. measure: of a module,
    for the cache; on a text that the model knows. shown: from the models found, the one in the picker and the page's
    width to words, a figure and a table. untrained: whether the network in the picker is measured untrained, too.
    """

    kept: Callable[[CheckpointInfo], tuple[Any, SourceText] | None]
    measure: Callable[[Reader, str], Any]
    shown: Callable[[Store, Found, Asked | None, int], tuple[str, Any, Table]]
    nothing: str  # what is said where no model is ticked
    untrained: bool = False

    def answers(self, store: Store, question: Question, wanted: Wanted) -> Iterator[str]:
        """
        The answers to a question: what is known at once, then the model in the picker, then the others.

        A model that cannot be measured is left out and the reason told. Raises ValueError, Superseded.
        """
        given, parts = given_text(question, LONGEST_TEXT), count(1)
        asked, picked = to_measure(store, question)
        queue = sorted(asked, key=lambda one: one is not picked)
        if self.untrained and picked is not None and 0 in picked.info.saved_steps and picked.step != 0:
            queue.append(Asked(picked.info, 0, ghost=True))
        found: Found = {}
        notes: list[str] = []

        def find(one: Asked, compute: Callable[..., Any]) -> bool:
            """Take what is kept or computed of a model, or why there is nothing; False where `compute` has nothing."""
            try:
                result = self.kept(one.info) if one.is_last and given is None else None
                if result is None:
                    reader = store.reader(one.info.name, one.step)
                    source = text_for(store, reader, given)
                    dropped = dropped_notice(reader.vocab.drop_unknown(given.text if given else "")[1])
                    notes.extend([dropped["text"]] if dropped else [])
                    notes.extend(f"{one.title}: {notice}" for notice in reader.checkpoint.model.notices())
                    result = compute(self.measure, reader, source.text), source
                if result[0] is None:
                    return False
                found[one] = result
            except ValueError as error:
                notes.extend([] if one.ghost else [f"{one.title}: {error}."])
            return True

        def told(measuring: str = "") -> str:
            words, figure, table = "", None, None
            if any(one in found for one in asked):
                here = {one: found[one] for one in [*asked, *queue] if one in found}
                words, figure, table = self.shown(store, here, picked, question.width)
            elif not asked:
                words = self.nothing
            said = [words, f"Measuring {measuring} …" if measuring else "", *dict.fromkeys(notes)]
            more = {"table": table.told()} if table else {}
            more |= offered(store, question)
            return answer(
                question.number, " ".join(filter(None, said)), next(parts), figure, busy=bool(measuring), **more
            )

        for one in [one for one in queue if not find(one, store.cache.known)]:
            require(wanted)
            yield told(one.title)
            with store.turn(self.measure, wanted):
                find(one, store.cache.compute)
        require(wanted)
        yield told()
