"""
Answers of the page's views that are kept with a site.

The same generators that answer a page's queries on a server run once for each query that is kept.
`ui/site/kept_answers.js` finds the answer of a query by the fields named here.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import chain, combinations, product
from typing import Any, cast

from charrnn import figures
from charrnn.checkpoint import CheckpointInfo
from charrnn.figures.axes import NARROW
from charrnn.tracing import layers_of
from charrnn.ui.compare.surprisal_template import surprisal_template
from charrnn.ui.gradients.saliency_template import saliency_template
from charrnn.ui.neurons.cards import top_rows
from charrnn.ui.neurons.clamp_template import clamp_template
from charrnn.ui.neurons.unit_scores import best_rows, saved_boards
from charrnn.ui.server.checkpoint_store import Store
from charrnn.ui.server.streaming import Part, Stream
from charrnn.ui.server.view_query import ViewQuery
from charrnn.ui.under_the_hood.source_template import source_template

WIDTH = 860  # of the kept figures, in pixels
WIDTHS = (340, WIDTH)  # of those whose labels depend on it: narrower than figures.axes.NARROW, and not
SCALES = (0.7, 1.0, 1.4)  # of W_hh
Query = dict[str, Any]


@dataclass(frozen=True)
class Kept:
    """
    The queries of a part whose answers are kept, and how the page finds an answer.

    fields: the query's fields that form the key of its answer: `checkpoint`, `name` (the checkpoint without its step),
    `width` (one of WIDTHS), or fields of the form. optional: fields that the page leaves out of the key, one after the
    other, if there is no exact answer. nearest: a numeric field; the answer with the nearest value is shown. blank:
    fields of the form that must be empty. models: the answers contain all models, and the page shows the selected ones.
    compute: returns the answer, by default that of the part's generator.
    """

    queries: Callable[[Store], Iterable[Query]] = lambda store: [_query()]
    fields: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    nearest: str = ""
    blank: tuple[str, ...] = ("text",)
    models: bool = False
    compute: Callable[[Store, Query], list[Any]] | None = None

    def answer(self, part: Part, store: Store, query: Query) -> list[Any]:
        """Return the messages of an answer that later messages do not replace."""
        try:
            if self.compute is not None:
                return self.compute(store, query)
            stream = cast(Stream, part.stream)  # a part without one has no kept answers
            messages = [json.loads(text) for text in stream(ViewQuery.from_page(query), lambda: True)]
        except ValueError as error:
            return [{"words": f"{error}.", "figure": None}]
        needed: list[Any] = []
        names: set[str] = set()
        for message in reversed(messages):
            if not names >= message.keys():
                needed.insert(0, message)
            names |= message.keys()
        return needed

    def manifest(self) -> dict[str, Any]:
        """Describe how the page finds an answer."""
        names = ("fields", "optional", "nearest", "blank", "models")
        return {name: getattr(self, name) for name in names}


def _query(info: CheckpointInfo | None = None, step: int | None = None, **form: Any) -> Query:
    query: Query = {"number": 0, "width": WIDTH, "form": form}
    if info is not None:
        query["checkpoint"] = {"name": info.name, "step": info.step if step is None else step}
    return query


def _each(store: Store) -> Iterator[Query]:
    """Query every checkpoint at its last step."""
    return (_query(info) for info in store.checkpoints())


def _widths(_: Store) -> Iterator[Query]:
    return (_query() | {"width": width} for width in WIDTHS)


def _each_step(store: Store) -> Iterator[Query]:
    """Query every checkpoint at each saved step, with all models in the figure."""
    names = [info.name for info in store.checkpoints()]
    return (_query(info, step) | {"names": names} for info in store.checkpoints() for step in info.saved_steps)


def _each_with_all_models(store: Store) -> Iterator[Query]:
    names = [info.name for info in store.checkpoints()]
    return (query | {"names": names} for query in _each(store))


def _scales(store: Store) -> Iterator[Query]:
    return (_query(info, knob=scale) for info in store.checkpoints() for scale in SCALES)


def _views(store: Store) -> Iterator[Query]:
    return (_query(info, view=view) for info in store.checkpoints() for view in _view_names(store, info))


def _units(store: Store) -> Iterator[Query]:
    """Query the default unit, and each unit that is the best one for a concept."""
    for info in store.checkpoints():
        boards = saved_boards(store.load(info.name))
        for view in _view_names(store, info):
            board = boards.get(view or "")
            found = {best.unit for best in board.best if best.found} if board else set()
            yield from (_query(info, view=view, unit=unit) for unit in [None, *sorted(found)])


def _carded_units(store: Store) -> Iterator[Query]:
    """Query the default unit of each view, and the units of the leaderboard's cards."""
    yield from _views(store)
    for info in store.checkpoints():
        for view, best in top_rows(best_rows(store.load(info.name))):
            yield _query(info, view=view, unit=best.unit)


def _view_names(store: Store, info: CheckpointInfo) -> list[str | None]:
    return [None, *store.load(info.name).view_names]


def _curves(store: Store) -> Iterator[Query]:
    """Query the training curves in every unit, span and selection of parts."""
    sizes = range(len(figures.PARTS) + 1)
    selections = chain.from_iterable(combinations(figures.PARTS, size) for size in sizes)
    return _curves_of(store, [{"parts": list(parts)} for parts in selections])


def _all_curves(store: Store) -> Iterator[Query]:
    """Query the training curves of all models with every part in each unit and span."""
    return _curves_of(store, [{"parts": list(figures.PARTS)}, {}])


def _curves_of(store: Store, selections: Iterable[Query]) -> Iterator[Query]:
    names = [info.name for info in store.checkpoints()]
    for selection, unit, span in product(selections, figures.UNITS, figures.SPANS):
        yield _query(unit=unit, span=span, **selection) | {"names": names}


def _samples(store: Store) -> Iterator[Query]:
    return (_query(model=info.name) for info in store.checkpoints())


def _layers(store: Store) -> Iterator[Query]:
    """Query the source of each network, and of each block of MiniGPT."""
    for info in store.checkpoints():
        blocks = layers_of(store.load(info.name).checkpoint.model)
        yield from (_query(info, layer=layer) for layer in [None, *range(1, blocks + 1)])


def _source_lines(store: Store, query: Query) -> list[Any]:
    loaded = store.load(query["checkpoint"]["name"])
    layer = query["form"]["layer"] or layers_of(loaded.checkpoint.model)
    return [store.cache.compute(source_template, loaded, layer)]


def _clamps(store: Store, query: Query) -> list[Any]:
    return [clamp_template(store, store.load(query["checkpoint"]["name"]))]


# By the id of the part. A part that is not listed needs Python, unless the page answers it itself.
KEPT: Mapping[str, Kept] = {
    "gradients/gradient_norms": Kept(_each_step, ("checkpoint",), models=True),
    "gradients/recurrent_scale": Kept(_scales, ("checkpoint", "knob"), nearest="knob"),
    "gradients/saliency": Kept(blank=(), compute=lambda store, _: [saliency_template(store)]),
    "gradients/context_use": Kept(_each_with_all_models, ("checkpoint",), models=True),
    "gradients/over_training": Kept(_each, ("name",)),
    "gradients/clipping": Kept(_widths, ("width",)),
    "neurons/leaderboard": Kept(_views, ("checkpoint", "view"), ("view",), blank=("text", "pattern")),
    "neurons/unit": Kept(_units, ("checkpoint", "view", "unit"), ("unit", "view")),
    "neurons/clamp": Kept(_each, ("name",), blank=(), compute=_clamps),
    "neurons/gate_saturation": Kept(_each, ("checkpoint",)),
    "neurons/exercises": Kept(_each, ("checkpoint",), blank=("exercise",)),
    "compare/surprisal_difference": Kept(blank=(), compute=lambda store, _: [surprisal_template(store, WIDTH)]),
    "compare/training_curves": Kept(_curves, ("unit", "span", "parts"), blank=(), models=True),
    "compare/scoreboard": Kept(_widths, ("width",)),
    "compare/samples": Kept(_samples, ("model",)),
    "under_the_hood/source_trace": Kept(_layers, ("name", "layer"), blank=(), compute=_source_lines),
    "under_the_hood/self_checks": Kept(_each, ("checkpoint",)),
    "under_the_hood/recorded_profile": Kept(_widths, ("width",)),
    "under_the_hood/recorded_window_length": Kept(_widths, ("width",)),
    "lab_sheet/answers": Kept(),
}

SMALL = {
    **KEPT,
    "neurons/unit": replace(KEPT["neurons/unit"], queries=_carded_units),
    "compare/training_curves": replace(KEPT["compare/training_curves"], queries=_all_curves, optional=("parts",)),
}


@dataclass
class KeptAnswers:
    """The kept answers of a site: files by name, and how the page finds them."""

    queries: Mapping[str, Kept]
    files: dict[str, list[Any]] = field(default_factory=dict)  # messages of an answer
    parts: dict[str, dict[str, Any]] = field(default_factory=dict)

    def add(self, part: Part, store: Store, notify: Callable[[str], None]) -> None:
        """Run the queries of a part and keep their answers."""
        kept = self.queries.get(part.id)
        if kept is None:
            return
        notify(f"{part.id} …")
        found: dict[str, str] = {}
        for query in kept.queries(store):
            messages = kept.answer(part, store, query)
            name = f"kept/{len(self.files)}.bin"
            same = next((other for other in found.values() if self.files[other] == messages), None)
            if same is None:
                self.files[name] = messages
            found[key_of(kept.fields, query)] = same or name
            # The answer names its defaults: a query that gives them explicitly finds it too.
            chosen = {name: messages[-1][name] for name in kept.optional if name in messages[-1]}
            found.setdefault(key_of(kept.fields, query | {"form": query["form"] | chosen}), same or name)
        self.parts[part.id] = {**kept.manifest(), "files": found}


def key_of(fields: Iterable[str], query: Query) -> str:
    """Return the key of a query, as site/kept_answers.js does."""
    return json.dumps([_value(query, name) for name in fields], separators=(",", ":"), ensure_ascii=False)


def _value(query: Query, name: str) -> Any:
    checkpoint = query.get("checkpoint")
    if name in ("checkpoint", "name"):
        return checkpoint and ([checkpoint["name"], checkpoint["step"]] if name == "checkpoint" else checkpoint["name"])
    if name == "width":
        return WIDTHS[query["width"] >= NARROW]
    value = query["form"].get(name)
    if isinstance(value, float) and value.is_integer():
        return int(value)  # as in JavaScript
    if isinstance(value, list):
        return sorted(value)  # checked boxes come in the order of the page
    return value or None if isinstance(value, str) else value
