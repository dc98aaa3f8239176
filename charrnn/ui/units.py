"""What the tab Neurons knows of a model's units: what they say while a text is read, and what untrained ones reach."""

import math
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from threading import Lock

import numpy as np

from charrnn.findings import FindingsError
from charrnn.neurons import Baseline, Board, Kept, Scores, Targets, from_findings, read, score, sha256_of
from charrnn.training import untrained
from charrnn.ui.store import Reader, Store

MOST_KEPT = 4  # readings: of 10,000 characters by 512 units each takes 20 MB
UNTRAINED_UNITS = 1024  # at least, in all the untrained networks together
FEWEST_NETWORKS, MOST_NETWORKS = 2, 8
GATE_WORDS = {
    "r": "reset gate r",
    "z": "update gate z",
    "i": "input gate i",
    "f": "forget gate f",
    "o": "output gate o",
}
WORDS = GATE_WORDS | {"h": "hidden state h", "c": "cell state c", "g": "candidate g", "n": "candidate n"}

Wanted = Callable[[], bool]


class OvertakenError(Exception):
    """The visitor has asked for something else meanwhile."""


def in_words(view: str) -> str:
    """What goes by this name, as the page calls it."""
    return WORDS.get(view, f"residual stream, {view}" if view.startswith("layer") else view)


def views_told(reader: Reader) -> list[dict[str, str]]:
    """The kinds of unit a model has, as the page offers them."""
    return [{"name": name, "title": in_words(name)} for name in reader.names]


class Units:
    """Readings and baselines of one running app; the last few are kept."""

    def __init__(self, store: Store):
        self.store = store
        self.busy = Lock()  # one reads at a time, so that nobody reads what another just did
        self._kept: OrderedDict[tuple, np.ndarray] = OrderedDict()
        self._last: tuple[tuple, list[np.ndarray]] | None = None

    def values(self, reader: Reader, view: str, text: str, wanted: Wanted) -> np.ndarray:
        """What the units say after each character of a text, (N, U). Raises OvertakenError."""
        key = (reader.info.sha256, reader.checkpoint.step, view, sha256_of(text))
        with self.busy:
            if key not in self._kept:
                self._kept[key] = _read(reader.decoder, reader.vocab.encode(text), view, wanted)
            self._kept.move_to_end(key)
            while len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)
            return self._kept[key]

    def scores(self, reader: Reader, view: str, targets: Targets, wanted: Wanted) -> Scores:
        """Every unit against every concept. Raises OvertakenError."""
        key = ("unit scores", reader.info.sha256, reader.checkpoint.step, view, targets.names, sha256_of(targets.text))
        return self.store.worked_out(key, lambda: score(targets, self.values(reader, view, targets.text, wanted)))

    def baseline(self, reader: Reader, view: str, targets: Targets, wanted: Wanted) -> Iterator[str | Baseline]:
        """What untrained units reach: what is being done, then the baseline. Raises OvertakenError."""
        key, known = self._known(reader, view, targets)
        if known is None:
            scores = []
            for values in self._untrained(reader, view, targets.text, wanted):
                if isinstance(values, str):
                    yield values
                else:
                    scores.append(score(targets, values))
            known = self.store.worked_out(key, lambda: Baseline.of(scores))
        yield known

    def _known(self, reader: Reader, view: str, targets: Targets) -> tuple[tuple, Baseline | None]:
        """The baseline that was worked out, here or when the checkpoint was refreshed, and the key it has here."""
        key, kept = ("untrained units", *_form(reader), view, targets.names, sha256_of(targets.text)), kept_of(reader)
        return key, self.store.known(key) or (kept.baseline(view, targets) if kept else None)

    def untrained_percentiles(self, reader: Reader, view: str, targets: Targets) -> dict[str, float]:
        """By concept, what untrained units reach: on this text if that is known, else on the one that is kept."""
        _, known = self._known(reader, view, targets)
        if known is not None:
            return dict(zip(targets.names, known.percentile.tolist(), strict=True))
        kept = kept_of(reader)
        board = kept.boards.get(view) if kept else None
        return {best.concept: best.percentile for best in board.best} if board else {}

    def _untrained(self, reader: Reader, view: str, text: str, wanted: Wanted) -> Iterator[str | np.ndarray]:
        """What the units of untrained networks say while they read, and before each what is being done."""
        key = (*_form(reader), view, sha256_of(text))
        if self._last is not None and self._last[0] == key:
            yield from self._last[1]
            return
        info, several = reader.info, []
        networks = networks_for(info.hidden_dim)
        for seed in range(networks):
            yield f"Reading with an untrained network, {seed + 1} of {networks} …"
            model = untrained(info.config, len(info.vocab), info.recipe, seed)
            with self.busy:
                several.append(_read(model.decoder(), reader.vocab.encode(text), view, wanted))
            yield several[-1]
        self._last = key, several  # a pattern of the visitor's is likely to be the next question


def _form(reader: Reader) -> tuple:
    """What networks have in common that could be the same before training."""
    info = reader.info
    return repr(sorted(info.config.items())), info.recipe.get("initialisation"), info.vocab.characters


def networks_for(units: int, in_all: int = UNTRAINED_UNITS) -> int:
    """How many untrained networks make a baseline."""
    return min(MOST_NETWORKS, max(FEWEST_NETWORKS, math.ceil(in_all / units)))


def _read(decoder, ids: list[int], view: str, wanted: Wanted) -> np.ndarray:
    pieces = []
    for piece in read(decoder, ids, [view]):
        if not wanted():
            raise OvertakenError
        pieces.append(piece[view])
    return np.concatenate(pieces)


def kept_of(reader: Reader) -> Kept | None:
    """What is kept beside a checkpoint; None where nothing is, or what is broken or of another form of network."""
    section = reader.info.analyses.sections.get("units")
    try:
        kept = None if section is None else from_findings(section)
    except FindingsError:
        return None
    fits = kept and all(board.units == reader.units.get(view) for view, board in kept.boards.items())
    return kept if fits else None


def kept_boards(reader: Reader) -> Mapping[str, Board]:
    """The boards that are kept, by view; none for another step than the last."""
    kept = kept_of(reader)
    return kept.boards if kept and reader.checkpoint.step == reader.info.saved_steps[-1] else {}
