"""
What an analysis of a model found, in the form in which it is kept beside the checkpoint: single facts, and tables.

It may come from anywhere, so nothing but names, short texts, finite numbers and gaps is let in, and only so many.
"""

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Value = str | float | bool | None
Table = Mapping[str, Sequence[Value]]  # columns of one length, by name

NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
MOST_FACTS, MOST_TABLES, MOST_COLUMNS, MOST_ROWS, LONGEST_TEXT = 64, 16, 32, 8192, 400
LARGEST = 2.0**53  # beyond it a whole number is not the same number in every language
DIGITS = 6


class FindingsError(ValueError):
    """What is kept as an analysis cannot be one; the message says what of it."""


@dataclass(frozen=True)
class Findings:
    """What one analysis found. Raises FindingsError for names, values or sizes that are not let in."""

    facts: Mapping[str, Value] = field(default_factory=dict)
    tables: Mapping[str, Table] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _require_names("fact", self.facts, MOST_FACTS)
        _require_names("table", self.tables, MOST_TABLES)
        for name, value in self.facts.items():
            _require_value(name, value)
        for name, table in self.tables.items():
            _require_table(name, table)

    @classmethod
    def from_json(cls, value: Any) -> "Findings":
        """Of parsed JSON. Raises FindingsError."""
        if not isinstance(value, dict) or value.keys() - {"facts", "tables"}:
            raise FindingsError("an analysis has facts and tables and nothing else")
        return cls(value.get("facts", {}), value.get("tables", {}))

    def as_json(self) -> str:
        """JSON with a column a line, numbers to six digits: what `from_json` takes when it is parsed."""
        facts = f' "facts": {_line(self.facts)}'
        tables = [
            f"  {_line(name)}: {{\n"
            + ",\n".join(f"   {_line(column)}: {_line(values)}" for column, values in table.items())
            + "\n  }"
            for name, table in self.tables.items()
        ]
        return "{\n" + facts + ',\n "tables": {' + ("\n" + ",\n".join(tables) + "\n " if tables else "") + "}\n}"

    # -------------------------------------------------------------------------------------------- reading

    def number(self, name: str, low: float = -math.inf, high: float = math.inf) -> float:
        """A fact that is a number in a range. Raises FindingsError where it is none."""
        return _in_range(name, self._fact(name), low, high)

    def number_or_none(self, name: str, low: float = -math.inf, high: float = math.inf) -> float | None:
        """The same, of a fact that may have no number."""
        return None if self._fact(name) is None else self.number(name, low, high)

    def text(self, name: str) -> str:
        """A fact that is a text. Raises FindingsError where it is none."""
        return _as_text(name, self._fact(name))

    def numbers(
        self, table: str, column: str, low: float = -math.inf, high: float = math.inf, fewest: int = 0
    ) -> list[float]:
        """A column of so many numbers in a range, or more. Raises FindingsError where one of them is none."""
        values = self._column(table, column)
        if len(values) < fewest:
            raise FindingsError(f"{table} has {len(values)} rows: {fewest} to {MOST_ROWS} are needed")
        return [_in_range(f"{table}, {column}", value, low, high) for value in values]

    def numbers_or_none(
        self, table: str, column: str, low: float = -math.inf, high: float = math.inf
    ) -> list[float | None]:
        """The same, of a column with gaps."""
        values = self._column(table, column)
        return [None if value is None else _in_range(f"{table}, {column}", value, low, high) for value in values]

    def texts(self, table: str, column: str) -> list[str]:
        """A column of texts. Raises FindingsError where one of them is none."""
        return [_as_text(f"{table}, {column}", value) for value in self._column(table, column)]

    def _fact(self, name: str) -> Value:
        if name not in self.facts:
            raise FindingsError(f"there is no fact {name}")
        return self.facts[name]

    def _column(self, table: str, column: str) -> Sequence[Value]:
        if column not in self.tables.get(table, {}):
            raise FindingsError(f"there is no column {column} of a table {table}")
        return self.tables[table][column]


def _line(value: Any) -> str:
    return json.dumps(_rounded(value), ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _rounded(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _rounded(part) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_rounded(part) for part in value]
    return float(f"{value:.{DIGITS}g}") if type(value) is float else value


def _require_names(what: str, named: Any, most: int) -> None:
    if not isinstance(named, Mapping):
        raise FindingsError(f"each {what} needs a name")
    if len(named) > most:
        raise FindingsError(f"there are {len(named)} times a {what}: {most} at most")
    for name in named:
        if not isinstance(name, str) or not NAME.fullmatch(name):
            raise FindingsError(f"{str(name)[:50]!r} is no name of a {what}: small letters, digits and _, 40 at most")


def _require_table(name: str, table: Any) -> None:
    _require_names(f"column of {name}", table, MOST_COLUMNS)
    if not all(isinstance(values, (list, tuple)) for values in table.values()):
        raise FindingsError(f"a column of {name} is no list")
    lengths = {len(values) for values in table.values()}
    if len(lengths) > 1 or max(lengths, default=0) > MOST_ROWS:
        raise FindingsError(f"{name} has columns of {sorted(lengths)} rows: of one length, {MOST_ROWS} at most")
    for column, values in table.items():
        for value in values:
            _require_value(f"{name}, {column}", value)


def _require_value(name: str, value: Any) -> None:
    if value is None or type(value) is bool:
        return
    if type(value) is str:
        if len(value) > LONGEST_TEXT:
            raise FindingsError(f"{name} has {len(value)} characters: {LONGEST_TEXT} at most")
        if any("\ud800" <= character <= "\udfff" for character in value):
            raise FindingsError(f"{name} holds half of a character")
    elif type(value) not in (int, float):
        raise FindingsError(f"{name} is of type {type(value).__name__}: a text, a number, true, false or null")
    elif not (math.isfinite(value) and abs(value) <= LARGEST):
        raise FindingsError(f"{name} is {value}: finite numbers up to 2^53 in size are read")


def _in_range(name: str, value: Value, low: float, high: float) -> float:
    if type(value) not in (int, float) or not low <= value <= high:  # pyright: ignore[reportOperatorIssue]
        raise FindingsError(f"{name} is {value!r}: a number from {low:g} to {high:g} is needed")
    return float(value)  # pyright: ignore[reportArgumentType]


def _as_text(name: str, value: Value) -> str:
    if type(value) is not str:
        raise FindingsError(f"{name} is {value!r}: a text is needed")
    return value
