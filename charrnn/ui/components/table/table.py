"""Sortable tables with links and notes in their cells."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any


def _set_fields(record: Any) -> dict[str, Any]:
    """Return the fields of a dataclass that are set."""
    values = {field.name: getattr(record, field.name) for field in fields(record)}
    return {name: value for name, value in values.items() if value not in ("", None, ())}


@dataclass(frozen=True)
class LinkCell:
    """
    A link to a tab. It can select models or a unit, and scroll to a part.

    compare: values of the tab Compare by link parameter, a and b without the step; the others get their defaults.
    """

    text: str
    tab: str
    model: str = ""
    tick: tuple[str, ...] = ()
    part: str = ""
    unit: tuple[str, int] | tuple[()] = ()  # view name and unit index
    compare: Mapping[str, str | float] | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the fields that are set, as the page reads them."""
        return _set_fields(self)

    def networks(self) -> list[str]:
        """List the networks that the link opens."""
        pair = [str(self.compare[side]) for side in ("a", "b") if side in self.compare] if self.compare else []
        return [name for name in dict.fromkeys([self.model, *self.tick, *pair]) if name]


@dataclass(frozen=True)
class Cell:
    """A table cell.

    value: the sort key, by default the text. model: whose line swatch is shown. note: text after the link.
    """

    text: str
    value: float | None = None
    model: str = ""
    link: str = ""
    note: str = ""
    go: tuple[LinkCell, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the fields that are set, as the page reads them."""
        return _set_fields(self) | ({"go": [link.to_json() for link in self.go]} if self.go else {})


@dataclass(frozen=True)
class Table:
    """A table. A column is numeric if any of its cells has a value.

    quiet: indices of grey rows. sortable: clicks on titles sort. sorted_by: index of the sorted column.
    """

    caption: str
    titles: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    quiet: Sequence[int] = ()
    sortable: bool = True
    sorted_by: int | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the table as the page reads it."""
        numeric = [any(row[i].value is not None for row in self.rows) for i in range(len(self.titles))]
        return {
            "caption": self.caption,
            "columns": [{"title": title, "numeric": n} for title, n in zip(self.titles, numeric, strict=True)],
            "rows": [
                {"quiet": i in self.quiet, "cells": [cell.to_json() for cell in row]} for i, row in enumerate(self.rows)
            ],
            "sortable": self.sortable,
            "sorted": self.sorted_by,
        }


def number(value: float | None, form: str = "{:.3f}") -> Cell:
    """Return a cell with a formatted number; a dash for None."""
    return Cell("–") if value is None else Cell(form.format(value), value)
