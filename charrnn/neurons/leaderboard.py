"""Leaderboards: the best unit per concept, and their stored form."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from charrnn.analysis_record import AnalysisRecord, RecordError
from charrnn.neurons.activations import iter_activations
from charrnn.neurons.scoring import Baseline, BestUnit, ConceptTargets, Scores, best_units, score, unit_names
from charrnn.registry import Network

MAX_UNITS, MAX_NAME_CHARS = 4096, 40


@dataclass(frozen=True)
class Leaderboard:
    """The best unit per concept among the units of one name (h, c, a gate, a layer)."""

    view: str
    best: tuple[BestUnit, ...]  # one per concept
    units: int
    named: int  # units with a name
    margin: float
    untrained_units: int
    rare: tuple[str, ...]  # concepts that occur too rarely in the text

    @classmethod
    def of(cls, view: str, targets: ConceptTargets, scores: Scores, baseline: Baseline) -> "Leaderboard":
        named = [name for name in unit_names(targets, scores, baseline) if name is not None]
        best = tuple(best_units(targets, scores, baseline))
        units = scores.train.shape[1]
        return cls(view, best, units, len(named), baseline.margin, baseline.units, targets.rare)


def leaderboards(
    model: Network, untrained: Iterable[Network], targets: ConceptTargets, ids: Sequence[int]
) -> list[Leaderboard]:
    """
    Compute a leaderboard per view, relative to untrained networks.

    ids: of the text that the targets were evaluated on.
    """
    trained = _all_scores(model, targets, ids)
    baselines = [_all_scores(network, targets, ids) for network in untrained]
    return [
        Leaderboard.of(view, targets, scores, Baseline.of([scores_of[view] for scores_of in baselines]))
        for view, scores in trained.items()
    ]


def _all_scores(model: Network, targets: ConceptTargets, ids: Sequence[int]) -> dict[str, Scores]:
    decoder = model.decoder()
    views = tuple(decoder.read(ids[:1]).activations)
    chunks = list(iter_activations(decoder, ids, views))
    return {view: score(targets, np.concatenate([chunk[view] for chunk in chunks])) for view in views}


def sha256_of(text: str) -> str:
    """Return the SHA-256 of a text, which identifies it."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def leaderboard_record(boards: Sequence[Leaderboard], text: str) -> AnalysisRecord:
    """Convert the leaderboards of one text to a record stored beside a checkpoint."""
    rows = [(board.view, best) for board in boards for best in board.best]
    return AnalysisRecord(
        {"characters_read": len(text), "text_sha256": sha256_of(text)},
        {
            "views": {
                name: [getattr(board, name) for board in boards]
                for name in ("view", "units", "named", "margin", "untrained_units")
            },
            "best": {
                "view": [view for view, _ in rows],
                **{name: [getattr(best, name) for _, best in rows] for name in BestUnit._fields[:-1]},  # not to_beat
            },
            "rare": {"concept": list(boards[0].rare) if boards else []},
        },
    )


@dataclass(frozen=True)
class CachedBoard:
    """Stored leaderboards by view, and the text that was read for them."""

    boards: Mapping[str, Leaderboard]
    characters: int
    text_sha256: str

    def baseline(self, view: str, targets: ConceptTargets) -> Baseline | None:
        """Return the stored baseline if it is for this text and these concepts, else None."""
        board = self.boards.get(view)
        if board is None or self.text_sha256 != sha256_of(targets.text):
            return None
        if tuple(best.concept for best in board.best) != targets.names:
            return None
        return Baseline(np.array([best.percentile for best in board.best]), board.margin, board.untrained_units)


def leaderboards_from_record(record: AnalysisRecord) -> CachedBoard:
    """Restore leaderboards from their record. Raises RecordError for invalid values."""
    rare = tuple(_names(record, "rare", "concept"))
    boards = {}
    for view, *facts in zip(
        _names(record, "views", "view"),
        record.numbers("views", "units", 1, MAX_UNITS),
        record.numbers("views", "named", 0, MAX_UNITS),
        record.numbers("views", "margin", 0, 1e9),
        record.numbers("views", "untrained_units", 1, 1e9),
        strict=True,
    ):
        units, named, margin, untrained = facts
        boards[view] = Leaderboard(view, (), int(units), int(named), margin, int(untrained), rare)
    rows = zip(
        _names(record, "best", "view"),
        _names(record, "best", "concept"),
        record.numbers("best", "unit", 0, MAX_UNITS - 1),
        record.numbers("best", "direction", -1, 1),
        *(record.numbers("best", column, -1e9, 1) for column in ("train", "held_out", "percentile")),
        strict=True,
    )
    for view, concept, unit, direction, train, held_out, percentile in rows:
        board = boards.get(view)
        if board is None or unit >= board.units:
            raise RecordError(f"there is no unit {unit:g} of {view}: give a unit of a view in the table views")
        sign = 1 if direction >= 0 else -1
        best = BestUnit(concept, int(unit), sign, train, held_out, percentile, percentile + board.margin)
        boards[view] = replace(board, best=(*board.best, best))
    return CachedBoard(boards, int(record.number("characters_read", 1, 1e9)), record.text("text_sha256"))


def _names(record: AnalysisRecord, table: str, column: str) -> list[str]:
    found = record.texts(table, column)
    for name in found:
        if not 0 < len(name) <= MAX_NAME_CHARS:
            raise RecordError(f"{table}, {column} has a name of {len(name)} characters: give 1 to {MAX_NAME_CHARS}")
    return found
