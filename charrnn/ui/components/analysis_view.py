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


Results = dict[Target, tuple[Any, SourceText]]  # a result and the analysed text
Rendered = tuple[list[Any], Any, Table]  # sentences (`figures.Sentence`), figure and table


def targets_of(store: Store, query: ViewQuery) -> tuple[list[Target], Target | None]:
    """List the models in picker order, and the picked one. Raises ValueError."""
    infos = selected(store, query)
    name, step = query.choice.name or store.checkpoints()[0].name, query.choice.step
    targets = [Target(info, info.saved_steps[-1] if info.name != name or step is None else step) for info in infos]
    return targets, next((target for target in targets if target.info.name == name), None)


@dataclass(frozen=True)
class AnalysisView:
    """Analyses the selected models and renders the results.

    load_saved: loads the result saved beside a checkpoint, and its text; None if absent or invalid. measure: computes
    the result on a text that the model knows; defined at module level, for the cache. render: maps the results, the
    picked model, the line styles and the figure's width to sentences, figure and table. words_if_empty: shown without
    a selected model. untrained: also analyse the picked model before training.
    """

    load_saved: Callable[[CheckpointInfo], tuple[Any, SourceText] | None]
    measure: Callable[[LoadedModel, str], Any]
    render: Callable[[Results, Target | None, Mapping[str, Any], int], Rendered]
    words_if_empty: str
    untrained: bool = False

    def stream(self, store: Store, query: ViewQuery, is_current: IsCurrent) -> Iterator[str]:
        """Stream the results: cached ones at once, then the picked model, then the others.

        Models that cannot be analysed are skipped with a notice. Raises ValueError, Superseded.
        """
        given, parts = given_text(query, MAX_ANALYSIS_CHARS), count(1)
        targets, picked = targets_of(store, query)
        queue = sorted(targets, key=lambda target: target is not picked)
        if self.untrained and picked is not None and 0 in picked.info.saved_steps and picked.step != 0:
            queue.append(Target(picked.info, 0, ghost=True))
        results: Results = {}
        notices: dict[str, list[str]] = {}  # names of the models that each is about

        def add_notice(target: Target, text: str) -> None:
            notices.setdefault(text, []).append(target.info.name)

        def add_result(target: Target, get: Callable[..., Any]) -> bool:
            """Add the saved result, that of `get`, or a notice; False if `get` has none."""
            try:
                result = self.load_saved(target.info) if target.is_last and given is None else None
                if result is None:
                    loaded = store.load(target.info.name, target.step)
                    source = text_for(store, loaded, given)
                    dropped = dropped_notice(loaded.vocab.drop_unknown(given.text if given else "")[1])
                    if dropped:
                        add_notice(target, dropped["text"])
                    for notice in loaded.checkpoint.model.notices():
                        add_notice(target, f"{target.title}: {notice}")
                    result = get(self.measure, loaded, source.text), source
                if result[0] is None:
                    return False
                results[target] = result
            except ValueError as error:
                if not target.ghost:
                    add_notice(target, f"{target.title}: {error}.")
            return True

        def encode(measuring: str = "") -> str:
            from charrnn import figures  # plotly is slow to import: only when needed

            sentences = [] if targets else [figures.Sentence(self.words_if_empty)]
            figure, more = None, models_payload(store, query) | {"if_empty": self.words_if_empty}
            if any(target in results for target in targets):
                in_picker_order = {target: results[target] for target in [*targets, *queue] if target in results}
                stroke = figures.strokes([info.name for info in store.checkpoints()])
                sentences, figure, table = self.render(in_picker_order, picked, stroke, query.width)
                more["table"] = table.to_json()
            sentences += [figures.Sentence(f"Measuring {measuring} …")] if measuring else []
            sentences += [figures.Sentence(text, tuple(names)) for text, names in notices.items()]
            more |= {"sentences": sentences, "busy": bool(measuring)}
            return message(query.number, figures.text_of(sentences), next(parts), figure, **more)

        for target in [target for target in queue if not add_result(target, store.cache.cached)]:
            require_current(is_current)
            yield encode(target.title)
            with store.exclusive(self.measure, is_current):
                add_result(target, store.cache.compute)
        require_current(is_current)
        yield encode()
