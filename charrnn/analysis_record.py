"""
Stored result of an analysis: scalars and tables, JSON-safe.

Records may come from untrusted files, so only short names and texts, finite numbers and nulls are accepted, in
limited numbers.
"""

import json
import math
import re
import reprlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Value = str | float | bool | None
Table = Mapping[str, Sequence[Value]]  # columns of one length, by name

NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
MAX_FACTS, MAX_TABLES, MAX_COLUMNS, MAX_ROWS, MAX_TEXT_CHARS = 64, 16, 32, 8192, 400
MAX_INTEGER = 2.0**53  # integers beyond it are not exact in every language
DIGITS = 6


class RecordError(ValueError):
    """An analysis record is invalid; the message names the entry."""


@dataclass(frozen=True)
class AnalysisRecord:
    """
    The scalars and tables of one analysis.

    Raises RecordError for names, values or sizes that are not accepted.
    """

    facts: Mapping[str, Value] = field(default_factory=dict)
    tables: Mapping[str, Table] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _require_names("facts", self.facts, MAX_FACTS)
        _require_names("tables", self.tables, MAX_TABLES)
        for name, value in self.facts.items():
            _require_value(name, value)
        for name, table in self.tables.items():
            _require_table(name, table)

    @classmethod
    def from_json(cls, value: Any) -> "AnalysisRecord":
        """Create a record from parsed JSON. Raises RecordError."""
        if not isinstance(value, dict) or value.keys() - {"facts", "tables"}:
            raise RecordError(f"an analysis is {reprlib.repr(value)}: give an object with facts and tables only")
        return cls(value.get("facts", {}), value.get("tables", {}))

    def as_json(self) -> str:
        """Serialize to JSON, one column per line, numbers to six digits."""
        facts = f' "facts": {_json_line(self.facts)}'
        tables = [
            f"  {_json_line(name)}: {{\n"
            + ",\n".join(f"   {_json_line(column)}: {_json_line(values)}" for column, values in table.items())
            + "\n  }"
            for name, table in self.tables.items()
        ]
        return "{\n" + facts + ',\n "tables": {' + ("\n" + ",\n".join(tables) + "\n " if tables else "") + "}\n}"

    # -------------------------------------------------------------------------------------------- access

    def number(self, name: str, low: float = -math.inf, high: float = math.inf) -> float:
        """Return a numeric scalar in a range. Raises RecordError otherwise."""
        return _in_range(name, self._fact(name), low, high)

    def number_or_none(self, name: str, low: float = -math.inf, high: float = math.inf) -> float | None:
        """Return a numeric scalar in a range, or None. Raises RecordError otherwise."""
        return None if self._fact(name) is None else self.number(name, low, high)

    def text(self, name: str) -> str:
        """Return a text scalar. Raises RecordError otherwise."""
        return _as_text(name, self._fact(name))

    def numbers(
        self, table: str, column: str, low: float = -math.inf, high: float = math.inf, min_rows: int = 0
    ) -> list[float]:
        """
        Return a numeric column in a range with at least `min_rows` rows.

        Raises RecordError otherwise.
        """
        values = self._column(table, column)
        if len(values) < min_rows:
            raise RecordError(f"{table} has {len(values)} rows: {min_rows} to {MAX_ROWS} are needed")
        return [_in_range(f"{table}, {column}", value, low, high) for value in values]

    def numbers_or_none(self, table: str, column: str, low: float, high: float) -> list[float | None]:
        """Return a column of numbers in a range and nulls. Raises RecordError otherwise."""
        values = self._column(table, column)
        return [None if value is None else _in_range(f"{table}, {column}", value, low, high) for value in values]

    def texts(self, table: str, column: str) -> list[str]:
        """Return a text column. Raises RecordError otherwise."""
        return [_as_text(f"{table}, {column}", value) for value in self._column(table, column)]

    def _fact(self, name: str) -> Value:
        if name not in self.facts:
            raise RecordError(f"there is no scalar {name}")
        return self.facts[name]

    def _column(self, table: str, column: str) -> Sequence[Value]:
        if column not in self.tables.get(table, {}):
            raise RecordError(f"there is no column {column} in the table {table}")
        return self.tables[table][column]


def _json_line(value: Any) -> str:
    return json.dumps(_rounded(value), ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _rounded(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _rounded(part) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_rounded(part) for part in value]
    return float(f"{value:.{DIGITS}g}") if type(value) is float else value


def _require_names(kind: str, named: Any, limit: int) -> None:
    if not isinstance(named, Mapping):
        raise RecordError(f"the {kind} are not an object: give an object with a name for each")
    if len(named) > limit:
        raise RecordError(f"there are {len(named)} {kind}: at most {limit} are allowed")
    for name in named:
        if not isinstance(name, str) or not NAME.fullmatch(name):
            allowed = "use lowercase letters, digits and _, at most 40"
            raise RecordError(f"{str(name)[:50]!r} is not a valid name among the {kind}: {allowed}")


def _require_table(name: str, table: Any) -> None:
    _require_names(f"columns of {name}", table, MAX_COLUMNS)
    if not all(isinstance(values, (list, tuple)) for values in table.values()):
        raise RecordError(f"a column of {name} is not a list")
    lengths = {len(values) for values in table.values()}
    if len(lengths) > 1 or max(lengths, default=0) > MAX_ROWS:
        raise RecordError(f"{name} has columns of {sorted(lengths)} rows: give one length, at most {MAX_ROWS}")
    for column, values in table.items():
        for value in values:
            _require_value(f"{name}, {column}", value)


def _require_value(name: str, value: Any) -> None:
    if value is None or type(value) is bool:
        return
    if type(value) is str:
        if len(value) > MAX_TEXT_CHARS:
            raise RecordError(f"{name} has {len(value)} characters: at most {MAX_TEXT_CHARS} are allowed")
        if any("\ud800" <= character <= "\udfff" for character in value):
            raise RecordError(f"{name} contains an unpaired surrogate (U+D800 to U+DFFF)")
    elif type(value) not in (int, float):
        raise RecordError(f"{name} is of type {type(value).__name__}: give a text, a number, true, false or null")
    elif not (math.isfinite(value) and abs(value) <= MAX_INTEGER):
        raise RecordError(f"{name} is {value}: give a finite number of at most 2^53 in size")


def _in_range(name: str, value: Value, low: float, high: float) -> float:
    if type(value) not in (int, float) or not low <= value <= high:  # pyright: ignore[reportOperatorIssue]
        raise RecordError(f"{name} is {value!r}: a number from {low:g} to {high:g} is needed")
    return float(value)  # pyright: ignore[reportArgumentType]


def _as_text(name: str, value: Value) -> str:
    if type(value) is not str:
        raise RecordError(f"{name} is {value!r}: a text is needed")
    return value
