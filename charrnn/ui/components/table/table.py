"""Tables of the page: a caption, columns to sort by, cells that say more than their text."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Go:
    """A way to another place of the page: its tab, a model to pick, models to tick, a unit, a part to scroll to."""

    text: str
    tab: str
    model: str = ""
    tick: tuple[str, ...] = ()
    part: str = ""
    unit: tuple[str, int] | tuple[()] = ()  # what goes by which name, and which of them

    def told(self) -> dict[str, Any]:
        """As the page reads it."""
        whole = {"text": self.text, "tab": self.tab, "model": self.model, "tick": self.tick}
        whole |= {"part": self.part, "unit": self.unit}
        return {key: value for key, value in whole.items() if value}


@dataclass(frozen=True)
class Cell:
    """
    A text; `value` is what it is sorted by where that is not the text, `model` whose line stands before it, `note` what
    stands behind its link.
    """

    text: str
    value: float | None = None
    model: str = ""
    link: str = ""
    note: str = ""
    code: tuple[str, ...] = ()
    go: tuple[Go, ...] = ()

    def told(self) -> dict[str, Any]:
        """As the page reads it."""
        whole = {"text": self.text, "value": self.value, "model": self.model, "link": self.link}
        whole |= {"note": self.note, "code": self.code}
        return {key: value for key, value in whole.items() if value not in ("", None, ())} | (
            {"go": [go.told() for go in self.go]} if self.go else {}
        )


@dataclass(frozen=True)
class Table:
    """
    Rows under titles; those in `quiet` are somebody else's. A column whose cells have values is one of numbers.

    sortable: whether a click on a title sorts. sorted_by: the column it is sorted by already.
    """

    caption: str
    titles: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    quiet: Sequence[int] = field(default_factory=tuple)
    sortable: bool = True
    sorted_by: int | None = None

    def told(self) -> dict[str, Any]:
        """As the page reads it."""
        numeric = [any(row[i].value is not None for row in self.rows) for i in range(len(self.titles))]
        return {
            "caption": self.caption,
            "columns": [{"title": title, "numeric": n} for title, n in zip(self.titles, numeric, strict=True)],
            "rows": [
                {"quiet": i in self.quiet, "cells": [cell.told() for cell in row]} for i, row in enumerate(self.rows)
            ],
            "sortable": self.sortable,
            "sorted": self.sorted_by,
        }


def number(value: float | None, form: str = "{:.3f}", missing: str = "–") -> Cell:
    """A cell that holds a number."""
    return Cell(missing) if value is None else Cell(form.format(value), value)
