"""Activations and concept scores of a model's units, and untrained baselines."""

import math
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from threading import Lock
from typing import Any

import numpy as np

from charrnn.neurons import (
    BANK,
    Baseline,
    BestUnit,
    ConceptTargets,
    Leaderboard,
    Scores,
    StoredLeaderboards,
    best_of_views,
    leaderboards_from_record,
    score,
)
from charrnn.surprisal import TraceDecoder
from charrnn.training import untrained
from charrnn.ui.server.analyses import read_activations
from charrnn.ui.server.analysis_cache import Cache
from charrnn.ui.server.checkpoint_store import LoadedModel, Store
from charrnn.ui.server.saved_analysis import saved_analysis
from charrnn.ui.server.view_query import IsCurrent
from charrnn.vocab import Vocab

MAX_CACHED = 4  # activations of 10,000 characters by 512 units: 20 MB each
MIN_UNTRAINED_UNITS = 1024  # of all untrained models of a baseline
MIN_NETWORKS, MAX_NETWORKS = 2, 8
TITLES = {"h": "hidden state h", "c": "cell state c", "g": "candidate g", "n": "candidate n"}
TITLES |= {"r": "reset gate r", "z": "update gate z"}
TITLES |= {"i": "input gate i", "f": "forget gate f", "o": "output gate o"}
CONCEPTS = {concept.name for concept in BANK}


def view_title(view: str) -> str:
    """Return the title of an activation, such as "hidden state h"."""
    return TITLES.get(view, f"residual stream, {view}" if view.startswith("layer") else view)


def views_payload(loaded: LoadedModel) -> list[dict[str, str]]:
    """Describe the activations of a model."""
    return [{"name": name, "title": view_title(name)} for name in loaded.view_names]


@dataclass(frozen=True)
class Architecture:
    """Everything an untrained model depends on, except its seed."""

    config: Mapping[str, Any]
    recipe: Mapping[str, Any]
    characters: str


class Units:
    """Computes and caches activations, scores and baselines."""

    def __init__(self, store: Store):
        self.store = store
        self.lock = Lock()  # one reading at a time
        self._activations = Cache(MAX_CACHED)
        self._untrained = Cache(MAX_NETWORKS)  # for the next custom pattern

    def cache_key(self) -> tuple:
        """Return an empty key: no result depends on the state of this object."""
        return ()

    def values(self, loaded: LoadedModel, view: str, text: str, is_current: IsCurrent) -> np.ndarray:
        """Return the activations (N, U) after each character. Raises Superseded."""
        with self.lock:
            return self._activations.compute(_values, loaded, view, text, is_current=is_current)

    def scores(self, loaded: LoadedModel, view: str, targets: ConceptTargets, is_current: IsCurrent) -> Scores:
        """Score every unit against every concept. Raises Superseded."""
        return self.store.cache.compute(_scores, self, loaded, view, targets, is_current=is_current)

    def baseline(
        self, loaded: LoadedModel, view: str, targets: ConceptTargets, is_current: IsCurrent, show: Callable[[str], str]
    ) -> Generator[str, None, Baseline]:
        """Compute the untrained baseline; yields progress, as `show` encodes it.

        Raises Superseded.
        """
        if cached := self._cached(loaded, view, targets):
            return cached
        networks = networks_for(loaded.info.hidden_dim)
        for seed in range(networks):
            yield show(f"Reading with an untrained network, {seed + 1} of {networks} …")
            self.untrained_values(_architecture_of(loaded), seed, view, targets.text, is_current)
        return self.store.cache.compute(_baseline, self, _architecture_of(loaded), view, targets, is_current=is_current)

    def _cached(self, loaded: LoadedModel, view: str, targets: ConceptTargets) -> Baseline | None:
        """Return the cached or saved baseline; a custom pattern has no saved one."""
        if cached := self.store.cache.cached(_baseline, self, _architecture_of(loaded), view, targets):
            return cached
        saved = saved_leaderboards(loaded) if set(targets.names) <= CONCEPTS else None
        return saved.baseline(view, targets) if saved else None

    def untrained_values(
        self, architecture: Architecture, seed: int, view: str, text: str, is_current: IsCurrent
    ) -> np.ndarray:
        """Return the activations (N, U) of an untrained model. Raises Superseded."""
        with self.lock:
            return self._untrained.compute(_untrained_values, architecture, seed, view, text, is_current=is_current)


def _architecture_of(loaded: LoadedModel) -> Architecture:
    info = loaded.info
    return Architecture(info.config, info.recipe, info.vocab.characters)


def _values(loaded: LoadedModel, view: str, text: str, is_current: IsCurrent) -> np.ndarray:
    return _read(loaded.decoder, loaded.vocab.encode(text), view, is_current)


def _scores(units: Units, loaded: LoadedModel, view: str, targets: ConceptTargets, is_current: IsCurrent) -> Scores:
    return score(targets, units.values(loaded, view, targets.text, is_current))


def _untrained_values(architecture: Architecture, seed: int, view: str, text: str, is_current: IsCurrent) -> np.ndarray:
    vocab = Vocab(architecture.characters)
    model = untrained(architecture.config, len(vocab), architecture.recipe, seed)
    return _read(model.decoder(), vocab.encode(text), view, is_current)


def _baseline(
    units: Units, architecture: Architecture, view: str, targets: ConceptTargets, is_current: IsCurrent
) -> Baseline:
    seeds = range(networks_for(architecture.config["hidden_dim"]))
    values = (units.untrained_values(architecture, seed, view, targets.text, is_current) for seed in seeds)
    return Baseline.of([score(targets, activations) for activations in values])


def networks_for(units: int) -> int:
    """Return the number of untrained models of a baseline."""
    return min(MAX_NETWORKS, max(MIN_NETWORKS, math.ceil(MIN_UNTRAINED_UNITS / units)))


def _read(decoder: TraceDecoder, ids: list[int], view: str, is_current: IsCurrent) -> np.ndarray:
    return read_activations(decoder, ids, [view], is_current)[view]


def saved_leaderboards(loaded: LoadedModel) -> StoredLeaderboards | None:
    """Load the record saved beside a checkpoint; None if absent or of another model."""
    saved = saved_analysis(loaded.info, "units", leaderboards_from_record)
    fits = saved and all(board.units == loaded.units.get(view) for view, board in saved.boards.items())
    return saved if fits else None


def saved_boards(loaded: LoadedModel) -> Mapping[str, Leaderboard]:
    """Load the saved leaderboards by view; none before the last step."""
    saved = saved_leaderboards(loaded)
    return saved.boards if saved and loaded.is_last_step else {}


def saved_characters(loaded: LoadedModel) -> int:
    """Return the number of characters of the saved leaderboards; 0 without any."""
    saved = saved_leaderboards(loaded)
    return saved.characters if saved else 0


def best_rows(loaded: LoadedModel) -> list[tuple[str, BestUnit]]:
    """
    Return the saved best unit of each concept over all views, largest margin first.

    Empty before the last step.
    """
    return best_of_views(saved_boards(loaded).values())
