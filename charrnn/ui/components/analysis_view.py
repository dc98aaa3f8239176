"""A view that analyses the selected models one by one, the cached ones first."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any

from charrnn.checkpoint import CheckpointInfo
from charrnn.ui.components.table.table import Table
from charrnn.ui.server.analyses import MAX_ANALYSIS_CHARS, text_for
from charrnn.ui.server.checkpoint_store import LoadedModel, Store
from charrnn.ui.server.model_selection import offered, ticked
from charrnn.ui.server.notices import dropped_notice
from charrnn.ui.server.source_text import SourceText, given_text
from charrnn.ui.server.streaming import answer
from charrnn.ui.server.view_query import ViewQuery, Wanted, require


@dataclass(frozen=True, eq=False)
class Asked:
    """A model to analyse: selected, or (`ghost`) the picked one before training."""

    info: CheckpointInfo
    step: int
    ghost: bool = False

    @property
    def is_last(self) -> bool:
        """Check if this is the final checkpoint."""
        return self.step == self.info.saved_steps[-1]

    @property
    def title(self) -> str:
        """Return the title, with the training step unless it is the last."""
        title = LoadedModel.title_of(self.info)
        return title if self.is_last else f"{title}, step {self.step}"


Found = dict[Asked, tuple[Any, SourceText]]  # results and their texts


def to_measure(store: Store, question: ViewQuery) -> tuple[list[Asked], Asked | None]:
    """List the models in picker order, and the picked one. Raises ValueError."""
    infos = ticked(store, question)
    name, step = question.choice.name or store.checkpoints()[0].name, question.choice.step
    asked = [Asked(info, info.saved_steps[-1] if info.name != name or step is None else step) for info in infos]
    return asked, next((one for one in asked if one.info.name == name), None)


@dataclass(frozen=True)
class AnalysisView:
    """Computes and renders the analysis of the selected models.

    kept: loads the result saved beside a checkpoint, and its text; None if absent or invalid. measure: computes the
    result on a text that the model knows; defined at module level, for the cache. shown: maps the results, the picked
    model and the page's width to words, figure and table. untrained: also analyse the picked model before training.
    """

    kept: Callable[[CheckpointInfo], tuple[Any, SourceText] | None]
    measure: Callable[[LoadedModel, str], Any]
    shown: Callable[[Store, Found, Asked | None, int], tuple[str, Any, Table]]
    nothing: str  # words without a selected model
    untrained: bool = False

    def answers(self, store: Store, question: ViewQuery, wanted: Wanted) -> Iterator[str]:
        """Stream the results: cached ones at once, then the picked model, then the others.

        Models that cannot be analysed are skipped with a notice. Raises ValueError, Superseded.
        """
        given, parts = given_text(question, MAX_ANALYSIS_CHARS), count(1)
        asked, picked = to_measure(store, question)
        queue = sorted(asked, key=lambda one: one is not picked)
        if self.untrained and picked is not None and 0 in picked.info.saved_steps and picked.step != 0:
            queue.append(Asked(picked.info, 0, ghost=True))
        found: Found = {}
        notes: list[str] = []

        def find(one: Asked, compute: Callable[..., Any]) -> bool:
            """Add the saved or computed result of a model; False if there is none."""
            try:
                result = self.kept(one.info) if one.is_last and given is None else None
                if result is None:
                    reader = store.load(one.info.name, one.step)
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
