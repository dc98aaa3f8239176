"""A view that analyses the selected models one by one, the cached ones first."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any

from charrnn.checkpoint import CheckpointInfo
from charrnn.ui.components.table.table import Table
from charrnn.ui.server.analyses import MAX_ANALYSIS_CHARS, text_for
from charrnn.ui.server.checkpoint_store import LoadedModel, Store
from charrnn.ui.server.model_selection import models_payload, selected
from charrnn.ui.server.page_messages import dropped_notice
from charrnn.ui.server.source_text import SourceText, given_text
from charrnn.ui.server.streaming import message
from charrnn.ui.server.view_query import IsCurrent, ViewQuery, require_current


@dataclass(frozen=True, eq=False)
class Target:
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


Found = dict[Target, tuple[Any, SourceText]]  # results and their texts


def targets_of(store: Store, query: ViewQuery) -> tuple[list[Target], Target | None]:
    """List the models in picker order, and the picked one. Raises ValueError."""
    infos = selected(store, query)
    name, step = query.choice.name or store.checkpoints()[0].name, query.choice.step
    targets = [Target(info, info.saved_steps[-1] if info.name != name or step is None else step) for info in infos]
    return targets, next((target for target in targets if target.info.name == name), None)


@dataclass(frozen=True)
class AnalysisView:
    """Computes and renders the analysis of the selected models.

    saved: loads the result saved beside a checkpoint, and its text; None if absent or invalid. measure: computes the
    result on a text that the model knows; defined at module level, for the cache. shown: maps the results, the picked
    model, the line styles and the page's width to words, figure and table. untrained: also analyse the picked model
    before training.
    """

    saved: Callable[[CheckpointInfo], tuple[Any, SourceText] | None]
    measure: Callable[[LoadedModel, str], Any]
    shown: Callable[[Found, Target | None, Mapping[str, Any], int], tuple[str, Any, Table]]
    nothing: str  # words without a selected model
    untrained: bool = False

    def answers(self, store: Store, query: ViewQuery, is_current: IsCurrent) -> Iterator[str]:
        """Stream the results: cached ones at once, then the picked model, then the others.

        Models that cannot be analysed are skipped with a notice. Raises ValueError, Superseded.
        """
        given, parts = given_text(query, MAX_ANALYSIS_CHARS), count(1)
        targets, picked = targets_of(store, query)
        queue = sorted(targets, key=lambda target: target is not picked)
        if self.untrained and picked is not None and 0 in picked.info.saved_steps and picked.step != 0:
            queue.append(Target(picked.info, 0, ghost=True))
        found: Found = {}
        notes: list[str] = []

        def find(target: Target, compute: Callable[..., Any]) -> bool:
            """Add the saved or computed result of a model; False if there is none."""
            try:
                result = self.saved(target.info) if target.is_last and given is None else None
                if result is None:
                    loaded = store.load(target.info.name, target.step)
                    source = text_for(store, loaded, given)
                    dropped = dropped_notice(loaded.vocab.drop_unknown(given.text if given else "")[1])
                    notes.extend([dropped["text"]] if dropped else [])
                    notes.extend(f"{target.title}: {notice}" for notice in loaded.checkpoint.model.notices())
                    result = compute(self.measure, loaded, source.text), source
                if result[0] is None:
                    return False
                found[target] = result
            except ValueError as error:
                notes.extend([] if target.ghost else [f"{target.title}: {error}."])
            return True

        def encode(measuring: str = "") -> str:
            from charrnn import figures  # plotly is slow to import: only when needed

            words, figure, more = "" if targets else self.nothing, None, models_payload(store, query)
            if any(target in found for target in targets):
                here = {target: found[target] for target in [*targets, *queue] if target in found}
                stroke = figures.strokes([info.name for info in store.checkpoints()])
                words, figure, table = self.shown(here, picked, stroke, query.width)
                more["table"] = table.to_json()
            text = " ".join(filter(None, [words, measuring and f"Measuring {measuring} …", *dict.fromkeys(notes)]))
            return message(query.number, text, next(parts), figure, busy=bool(measuring), **more)

        for target in [each for each in queue if not find(each, store.cache.cached)]:
            require_current(is_current)
            yield encode(target.title)
            with store.exclusive(self.measure, is_current):
                find(target, store.cache.compute)
        require_current(is_current)
        yield encode()
