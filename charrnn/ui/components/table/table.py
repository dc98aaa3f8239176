"""Sortable tables with links, commands and notes in their cells."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Go:
    """A link to a tab: selects models or a unit, and scrolls to a part."""

    text: str
    tab: str
    model: str = ""
    tick: tuple[str, ...] = ()
    part: str = ""
    unit: tuple[str, int] | tuple[()] = ()  # view name and unit index

    def told(self) -> dict[str, Any]:
        """Return the fields that are set, as the page reads them."""
        whole = {"text": self.text, "tab": self.tab, "model": self.model, "tick": self.tick}
        whole |= {"part": self.part, "unit": self.unit}
        return {key: value for key, value in whole.items() if value}


@dataclass(frozen=True)
class Cell:
    """A table cell.

    value: the sort key, by default the text; model: the model whose line swatch is shown; note: text after the link.
    """

    text: str
    value: float | None = None
    model: str = ""
    link: str = ""
    note: str = ""
    code: tuple[str, ...] = ()
    go: tuple[Go, ...] = ()

    def told(self) -> dict[str, Any]:
        """Return the fields that are set, as the page reads them."""
        whole = {"text": self.text, "value": self.value, "model": self.model, "link": self.link}
        whole |= {"note": self.note, "code": self.code}
        return {key: value for key, value in whole.items() if value not in ("", None, ())} | (
            {"go": [go.told() for go in self.go]} if self.go else {}
        )


@dataclass(frozen=True)
class Table:
    """A table. A column is numeric if any of its cells has a value.

    quiet: indices of rows with published results. sortable: clicks on titles sort. sorted_by: the sorted column.
    """

    caption: str
    titles: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    quiet: Sequence[int] = field(default_factory=tuple)
    sortable: bool = True
    sorted_by: int | None = None

    def told(self) -> dict[str, Any]:
        """Return the table as the page reads it."""
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
    """Return a cell with a formatted number."""
    return Cell(missing) if value is None else Cell(form.format(value), value)
