"""Activations and concept scores of a model's units, and untrained baselines."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from threading import Lock
from typing import Any

import numpy as np

from charrnn.analysis_record import RecordError
from charrnn.neurons import (
    BANK,
    Baseline,
    CachedBoard,
    ConceptTargets,
    Leaderboard,
    Scores,
    iter_activations,
    leaderboards_from_record,
    score,
)
from charrnn.training import untrained
from charrnn.ui.server.analysis_cache import Cache
from charrnn.ui.server.checkpoint_store import LoadedModel, Store
from charrnn.ui.server.view_query import Wanted, require
from charrnn.vocab import Vocab

MAX_CACHED = 4  # readings: of 10,000 characters by 512 units each takes 20 MB
UNTRAINED_UNITS = 1024  # at least, in all the untrained networks together
MIN_NETWORKS, MAX_NETWORKS = 2, 8
GATE_WORDS = {
    "r": "reset gate r",
    "z": "update gate z",
    "i": "input gate i",
    "f": "forget gate f",
    "o": "output gate o",
}
WORDS = GATE_WORDS | {"h": "hidden state h", "c": "cell state c", "g": "candidate g", "n": "candidate n"}

CONCEPTS = {concept.name for concept in BANK}


def in_words(view: str) -> str:
    """Return the page's name of a view."""
    return WORDS.get(view, f"residual stream, {view}" if view.startswith("layer") else view)


def views_told(reader: LoadedModel) -> list[dict[str, str]]:
    """Describe the views of a model."""
    return [{"name": name, "title": in_words(name)} for name in reader.view_names]


@dataclass(frozen=True)
class Form:
    """The architecture that models with a common untrained baseline share."""

    config: Mapping[str, Any]
    recipe: Mapping[str, Any]
    characters: str


class Units:
    """Caches the most recent activations and baselines of an app."""

    def __init__(self, store: Store):
        self.store = store
        self.busy = Lock()  # one reads at a time, so that nobody reads what another just did
        self._readings = Cache(MAX_CACHED)
        self._untrained = Cache(MAX_NETWORKS)  # a pattern of the visitor's is likely to be the next question

    def cache_key(self) -> tuple:
        """Return an empty key: the cached values are keyed by all they depend on."""
        return ()

    def values(self, reader: LoadedModel, view: str, text: str, wanted: Wanted) -> np.ndarray:
        """Return the activations (N, U) after each character. Raises Superseded."""
        with self.busy:
            return self._readings.compute(_values, reader, view, text, wanted=wanted)

    def scores(self, reader: LoadedModel, view: str, targets: ConceptTargets, wanted: Wanted) -> Scores:
        """Score every unit against every concept. Raises Superseded."""
        return self.store.cache.compute(_scores, self, reader, view, targets, wanted=wanted)

    def baseline(
        self, reader: LoadedModel, view: str, targets: ConceptTargets, wanted: Wanted
    ) -> Iterator[str | Baseline]:
        """Compute the untrained baseline; yields progress. Raises Superseded."""
        known = self._known(reader, view, targets)
        if known is None:
            networks = networks_for(reader.info.hidden_dim)
            for seed in range(networks):
                yield f"Reading with an untrained network, {seed + 1} of {networks} …"
                self.untrained_values(_form(reader), seed, view, targets.text, wanted)
            known = self.store.cache.compute(_baseline, self, _form(reader), view, targets, wanted=wanted)
        yield known

    def _known(self, reader: LoadedModel, view: str, targets: ConceptTargets) -> Baseline | None:
        """Return the cached or saved baseline."""
        known = self.store.cache.known(_baseline, self, _form(reader), view, targets)
        kept = kept_of(reader) if set(targets.names) <= CONCEPTS else None  # a pattern is no concept that has a name
        return known or (kept.baseline(view, targets) if kept else None)

    def untrained_percentiles(self, reader: LoadedModel, view: str, targets: ConceptTargets) -> dict[str, float]:
        """Return baselines by concept: of this text if known, else of the saved one."""
        known = self._known(reader, view, targets)
        if known is not None:
            return dict(zip(targets.names, known.percentile.tolist(), strict=True))
        kept = kept_of(reader)
        board = kept.boards.get(view) if kept else None
        return {best.concept: best.percentile for best in board.best} if board else {}

    def untrained_values(self, form: Form, seed: int, view: str, text: str, wanted: Wanted) -> np.ndarray:
        """Return the activations (N, U) of an untrained model. Raises Superseded."""
        with self.busy:
            return self._untrained.compute(_untrained_values, form, seed, view, text, wanted=wanted)


def _form(reader: LoadedModel) -> Form:
    info = reader.info
    return Form(info.config, info.recipe, info.vocab.characters)


def _values(reader: LoadedModel, view: str, text: str, wanted: Wanted) -> np.ndarray:
    return _read(reader.decoder, reader.vocab.encode(text), view, wanted)


def _scores(units: Units, reader: LoadedModel, view: str, targets: ConceptTargets, wanted: Wanted) -> Scores:
    return score(targets, units.values(reader, view, targets.text, wanted))


def _untrained_values(form: Form, seed: int, view: str, text: str, wanted: Wanted) -> np.ndarray:
    vocab = Vocab(form.characters)
    model = untrained(form.config, len(vocab), form.recipe, seed)
    return _read(model.decoder(), vocab.encode(text), view, wanted)


def _baseline(units: Units, form: Form, view: str, targets: ConceptTargets, wanted: Wanted) -> Baseline:
    drawn = range(networks_for(form.config["hidden_dim"]))
    values = (units.untrained_values(form, seed, view, targets.text, wanted) for seed in drawn)
    return Baseline.of([score(targets, each) for each in values])


def networks_for(units: int, in_all: int = UNTRAINED_UNITS) -> int:
    """Return the number of untrained models of a baseline."""
    return min(MAX_NETWORKS, max(MIN_NETWORKS, math.ceil(in_all / units)))


def _read(decoder, ids: list[int], view: str, wanted: Wanted) -> np.ndarray:
    pieces = []
    for piece in iter_activations(decoder, ids, [view]):
        require(wanted)
        pieces.append(piece[view])
    return np.concatenate(pieces)


def kept_of(reader: LoadedModel) -> CachedBoard | None:
    """Load the record saved beside a checkpoint; None if absent or of another model."""
    section = reader.info.analyses.sections.get("units")
    try:
        kept = None if section is None else leaderboards_from_record(section)
    except RecordError:
        return None
    fits = kept and all(board.units == reader.units.get(view) for view, board in kept.boards.items())
    return kept if fits else None


def kept_boards(reader: LoadedModel) -> Mapping[str, Leaderboard]:
    """Load the saved leaderboards by view; none before the last step."""
    kept = kept_of(reader)
    return kept.boards if kept and reader.checkpoint.step == reader.info.saved_steps[-1] else {}
