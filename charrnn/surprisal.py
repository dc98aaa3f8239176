"""
Surprisal of each character of a text, in bits: −log₂ p(character | prefix).

p is the unfiltered softmax at temperature 1. The mean over a text is the model's bits per character on it. Two models
are compared by the signed difference at each character.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple, Protocol

import numpy as np

from charrnn.analysis_record import AnalysisRecord
from charrnn.bootstrap import student_margin
from charrnn.char_classes import KINDS, kinds
from charrnn.chunked_logits import chunk_size
from charrnn.sampling import Decoder, Trace

STRETCHES = 32  # of a long text, at most; the spread over them gives the 95 % interval
MIN_STRETCH_CHARS = 64  # characters per stretch
CHUNK_CHARS = 256  # characters read at once; a caller can stop between chunks
CONTEXTS = ((1, 8), (9, 16), (17, 32), (33, 64), (65, 128), (129, 256), (257, None))  # positions, from 1


class TraceDecoder(Decoder, Protocol):
    """A decoder that returns its outputs at every character of a text."""

    def read(self, ids: Sequence[int], state: Any = None) -> Trace:
        """Read ids, at least one, from `state` (None: the start of the text)."""
        ...


def surprisal_bits(logits: np.ndarray, ids: Sequence[int]) -> np.ndarray:
    """
    Return the surprisal of each id: logits (T, V), T ids -> (T,) float64, bits.

    Raises ValueError if a logit is not finite.
    """
    exact = np.asarray(logits, dtype=np.float64)  # (T, V)
    if not np.isfinite(exact).all():
        raise ValueError("the logits are not finite: the checkpoint is broken, or its weights overflow")
    exact = exact - exact.max(axis=1, keepdims=True, initial=-math.inf)
    nats = np.log(np.exp(exact).sum(axis=1)) - exact[np.arange(len(ids)), list(ids)]
    return nats / math.log(2)


def surprisals(decoder: TraceDecoder, ids: Sequence[int], max_chunk: int = CHUNK_CHARS) -> Iterator[np.ndarray]:
    """Yield the surprisals of a text chunk by chunk, from an empty context."""
    output = decoder.prefill([])
    size = chunk_size(len(output.logits), max_chunk)
    for first in range(0, len(ids), size):
        chunk = ids[first : first + size]
        trace = decoder.read(chunk, output.state)
        yield surprisal_bits(np.concatenate([output.logits[None], trace.logits[:-1]]), chunk)
        output = trace.end


class GroupMean(NamedTuple):
    """Mean surprisals over some characters (at least one) of a text."""

    name: str
    characters: int
    a_bits: float
    b_bits: float
    delta_bits: float  # A − B
    margin_bits: float | None  # half the 95 % interval of delta_bits; None for fewer than three stretches


@dataclass(frozen=True, eq=False)
class Difference:
    """Surprisals of two models on one text, in bits."""

    text: str
    a_bits: np.ndarray  # (T,)
    b_bits: np.ndarray  # (T,)

    def __post_init__(self) -> None:
        if not len(self.text) == len(self.a_bits) == len(self.b_bits) > 0:
            lengths = f"{len(self.text)} characters, {len(self.a_bits)} and {len(self.b_bits)} surprisals"
            raise ValueError(f"{lengths}: give at least one character, and one surprisal of each model per character")

    @property
    def delta_bits(self) -> np.ndarray:
        """A − B, (T,): positive if B predicts the character better."""
        return self.a_bits - self.b_bits

    @cached_property
    def kinds(self) -> list[str]:
        """The class of each character."""
        return kinds(self.text)

    def whole(self) -> GroupMean:
        """Average over all characters."""
        return self._group("all characters", np.ones(len(self.text), dtype=bool))

    def by_kind(self) -> list[GroupMean]:
        """Average by character class."""
        kind_of = np.array(self.kinds)
        return [self._group(kind, kind_of == kind) for kind in KINDS if (kind_of == kind).any()]

    def by_context(self) -> list[GroupMean]:
        """Average by position, that is by available context."""
        position = np.arange(1, len(self.text) + 1)
        groups = []
        for first, last in CONTEXTS:
            inside = (first <= position) & (position <= (last or len(position)))
            if inside.any():
                groups.append(self._group(f"{first}–{last}" if last else f"{first}+", inside))
        return groups

    def _group(self, name: str, inside: np.ndarray) -> GroupMean:
        stretches = max(1, min(STRETCHES, len(self.text) // MIN_STRETCH_CHARS))
        stretch = np.arange(len(self.text)) * stretches // len(self.text)
        return _group_mean(name, stretch[inside], np.ones(inside.sum()), self.a_bits[inside], self.b_bits[inside])


def kind_record(text: str, bits: np.ndarray) -> AnalysisRecord:
    """
    Summarize a model's bits (T,) by character class in each of 32 stretches.

    Two records on one text give a difference by class with an interval: see `difference_by_kind`.
    """
    kind_of = np.array([KINDS.index(kind) for kind in kinds(text)])
    stretch_of = np.arange(len(text)) * STRETCHES // max(1, len(text))
    cells = kind_of * STRETCHES + stretch_of  # (T,)
    counts = np.bincount(cells, minlength=len(KINDS) * STRETCHES)
    sums = np.bincount(cells, weights=bits, minlength=len(KINDS) * STRETCHES)
    occurring = np.flatnonzero(counts)
    return AnalysisRecord(
        {},
        {
            "kinds": {
                "kind": [KINDS[cell // STRETCHES] for cell in occurring],
                "stretch": (occurring % STRETCHES).tolist(),
                "characters": counts[occurring].tolist(),
                "bits": (sums[occurring] / counts[occurring]).tolist(),
            }
        },
    )


def difference_by_kind(a: AnalysisRecord, b: AnalysisRecord) -> list[GroupMean]:
    """
    Compare two records on one text by character class, all characters first.

    The interval is that of the mean over stretches, weighted by their characters (Student's t): neighboring characters
    depend on each other, stretches hardly do. Raises ValueError if the records are not about the same text.
    """
    (cells, counts, a_bits), (others, other_counts, b_bits) = map(_columns, (a, b))
    if (
        cells != others
        or counts.tolist() != other_counts.tolist()
        or a.facts.get("data_sha256") != b.facts.get("data_sha256")
    ):
        raise ValueError("the two records were not measured on the same text: measure both on one text")
    kind_of = np.array([name for name, _ in cells])
    stretch = np.array([number for _, number in cells])
    groups = []
    for name in ["all characters", *KINDS]:
        inside = np.ones(len(kind_of), dtype=bool) if name == "all characters" else kind_of == name
        if inside.any():
            groups.append(_group_mean(name, stretch[inside], counts[inside], a_bits[inside], b_bits[inside]))
    return groups


def _columns(record: AnalysisRecord) -> tuple[list[tuple[str, float]], np.ndarray, np.ndarray]:
    """
    Return class and stretch of each row, its characters and its bits.

    Raises RecordError, and ValueError for an unknown class.
    """
    names, stretches = record.texts("kinds", "kind"), record.numbers("kinds", "stretch", 0, STRETCHES - 1)
    counts, bits = record.numbers("kinds", "characters", 1, 1e9), record.numbers("kinds", "bits", 0, 1e6)
    if not names or not set(names) <= set(KINDS):
        raise ValueError(f"the record has an unknown class of characters: give {', '.join(KINDS)} only")
    return list(zip(names, stretches, strict=True)), np.array(counts), np.array(bits)


def _group_mean(
    name: str, stretch: np.ndarray, counts: np.ndarray, a_bits: np.ndarray, b_bits: np.ndarray
) -> GroupMean:
    total = counts.sum()
    a, b = float((counts * a_bits).sum() / total), float((counts * b_bits).sum() / total)
    residual = counts * (a_bits - b_bits - (a - b))  # deviation summed over a stretch, in bits
    deviations = np.array([residual[stretch == number].sum() for number in np.unique(stretch)])
    n = len(deviations)
    error = float(math.sqrt(n / max(1, n - 1) * (deviations**2).sum()) / total)
    return GroupMean(name, int(total), a, b, a - b, student_margin(error, n))
