"""Neurons, cards: the units that track a concept best, with two colored lines."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from charrnn.neurons import BANK, BestUnit, Concept
from charrnn.ui.neurons.unit_scores import view_title
from charrnn.ui.server.named_units import NUMERIC, name_of

MAX_CARDS = 6
MAX_LINE_CHARS = 42
MAX_LINES = 60  # of which two are chosen
MIN_CHARS = 20  # of a line, if the text has such lines
FULL_COLOR_PERCENTILES = 1, 99  # of a unit's values
LINE = re.compile(r"[^\n]*\n|[^\n]+")
CONCEPTS = {concept.name: concept for concept in BANK}
Row = tuple[str, BestUnit]  # a view, and its best unit for a concept


@dataclass(frozen=True)
class Example:
    """A text for the lines of the cards, and the activations (N, U) of a view on it."""

    text: str
    values: Callable[[str], np.ndarray]

    def lines(self, row: Row, concept: Concept | None) -> list[dict[str, Any]]:
        """
        Return two lines with the color levels of their characters, −127 … 127.

        marked: 1 for each character with the label.
        """
        view, best = row
        target = concept.of(self.text) if concept else np.zeros(len(self.text), bool)
        values = self.values(view)[:, best.unit]
        low, high = np.percentile(values, FULL_COLOR_PERCENTILES)
        levels = np.round(127 * np.clip(2 * (values - low) / ((high - low) or 1) - 1, -1, 1)).astype(int)
        marked = target if target.dtype == bool else np.zeros(len(self.text), bool)
        return [
            {"text": self.text[line], "levels": levels[line].tolist(), "marked": marked[line].astype(int).tolist()}
            for line in example_lines(self.text, target)
        ]


def example_lines(text: str, target: np.ndarray) -> list[slice]:
    """
    Return the beginnings of the two lines on which a target (N,) varies most.

    The lines of a label are consecutive, those of a number, such as a position, need not be. Pairs of at least
    2 * MIN_CHARS characters are preferred; of equal pairs the first is returned.
    """
    lines = [match.span() for match in LINE.finditer(text)]
    if len(lines) < 2:
        lines = [(first, len(text)) for first in range(0, len(text), MAX_LINE_CHARS)]
    long = [(first, end) for first, end in lines if end - first >= MIN_CHARS][:MAX_LINES]
    is_label = target.dtype == bool
    pairs = (
        zip(lines, lines[1:], strict=False)
        if is_label
        else combinations(long if len(long) > 1 else lines[:MAX_LINES], 2)
    )
    shown = [[slice(first, min(end, first + MAX_LINE_CHARS)) for first, end in pair] for pair in pairs]

    def rank(pair: list[slice]) -> tuple[bool, bool, float]:
        spread = float(np.concatenate([target[line] for line in pair]).std())
        lengths = [line.stop - line.start for line in pair]
        return spread > 0, min(lengths) > 1 and sum(lengths) >= 2 * MIN_CHARS, spread

    return max(shown, key=rank, default=[])


def best_cards(rows: Sequence[Row], example: Example | None = None) -> list[dict[str, Any]]:
    """Return the cards of `top_rows`, without lines if there is no example."""
    return [card(row, CONCEPTS.get(row[1].concept), example) for row in top_rows(rows)]


def top_rows(rows: Sequence[Row]) -> list[Row]:
    """Return the rows with a unit that are furthest above untrained networks."""
    return sorted((row for row in rows if row[1].found), key=lambda row: -row[1].margin)[:MAX_CARDS]


def card(row: Row, concept: Concept | None, example: Example | None, title: str = "") -> dict[str, Any]:
    """Describe a best unit: its score on a scale from chance to perfect, its lines."""
    view, best = row
    title = title or name_of(best)
    chance = 0.0 if best.concept in NUMERIC else 0.5

    def place(score: float) -> float:
        return round(min(1.0, max(0.0, (score - chance) / (1 - chance))), 4)

    ends = best.interval or (best.held_out, best.held_out)
    untrained = f"{best.percentile:.2f}"
    name = f"{title}: unit {best.unit} of the {view_title(view)}" if best.found else f"{title}: no unit"
    interval = f", 95 % interval {best.interval.low:.2f} to {best.interval.high:.2f}" if best.interval else ""
    return {
        "title": title,
        "view": view,
        "unit": best.unit,
        "found": best.found,
        "score": best.held_out_text,
        "untrained": untrained,
        "label": f"{name}. Score {best.held_out:.2f}{interval}; untrained networks reach {untrained}",
        "band": place(best.percentile),
        "needed": place(best.to_beat),
        "ends": [place(end) for end in ends],
        "dot": place(best.held_out),
        "lines": example.lines(row, concept) if example else [],
    }
