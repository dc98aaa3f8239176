"""Number ranges for validation; errors show the value and both limits."""

import re
import reprlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from numbers import Real
from typing import Any

WHOLE = re.compile(r"[+-]?[0-9]{1,40}")
DECIMAL = re.compile(r"[+-]?([0-9]{1,40}\.?[0-9]{0,40}|\.[0-9]{1,40})(e[+-]?[0-9]{1,4})?", re.IGNORECASE)


@dataclass(frozen=True)
class Range:
    """
    The numbers from `low` to `high`, inclusive.

    whole: integers only; 7.0 counts, since JSON does not distinguish. above: exclude `low`. zero: also allow 0, with
    this meaning.
    """

    low: float
    high: float
    whole: bool = False
    above: bool = False
    zero: str = ""

    def __str__(self) -> str:
        low, high = written(self.low), written(self.high)
        kind = "a whole number from " if self.whole else ""
        if self.above:
            return f"more than {low} and at most {high}"
        if self.zero and self.low:
            return f"0 ({self.zero}), or {kind}{low} to {high}"
        return f"{kind}{low}{f' ({self.zero})' if self.zero else ''} to {high}"

    def __contains__(self, value: Any) -> bool:
        if not is_number(value):
            return False
        inside = value <= self.high and (self.low < value if self.above else self.low <= value)
        return bool(inside and (not self.whole or value == int(value)) or self.zero and value == 0)

    def require(self, name: str, value: Any) -> Any:
        """Return the value as int or float. Raises ValueError with both limits."""
        if value not in self:
            raise ValueError(f"{name} is {shown(value)}: give {self}")
        return int(value) if self.whole else float(value)

    def read(self, name: str, text: str) -> Any:
        """Parse a number in ASCII digits and check it. Raises ValueError like `require`."""
        return self.require(name, number_in(text))


def is_number(value: Any) -> bool:
    """Return whether a value is a real number; bool is not."""
    return isinstance(value, Real) and not isinstance(value, bool)


def number_in(text: str) -> Any:
    """Parse a number in ASCII digits; return the text itself if it is none."""
    if WHOLE.fullmatch(text):
        return int(text)
    if DECIMAL.fullmatch(text) or text.lower() in ("nan", "inf", "-inf"):
        return float(text)
    return text


def written(number: float) -> str:
    """Format a number in the shortest decimal form that parses back to it."""
    return str(int(number)) if number == int(number) and abs(number) < 1e16 else repr(float(number))


def shown(value: Any) -> str:
    """Format a value for an error message: short, on one line."""
    if value is None or value == "":
        return "empty"
    if isinstance(value, int) and value.bit_length() > 256:
        return f"about {'-' if value < 0 else ''}2**{value.bit_length()}"
    return str(value) if is_number(value) else reprlib.repr(value)


Check = tuple[Callable[[Any], bool], str]  # whether a value fits, and what is expected


def check_fields(values: Mapping[str, Any], checks: Mapping[str, Check]) -> None:
    """Check fields of a JSON object; raise ValueError with the first bad field."""
    for name, (fits, expected) in checks.items():
        if not fits(values.get(name)):
            raise ValueError(f"the {name} must be {expected}, not {reprlib.repr(values.get(name))}")


def number(limit: float) -> Check:
    """Return a check for a JSON number from 0 to `limit`."""
    return lambda value: type(value) in (int, float) and 0 <= value <= limit, f"a number from 0 to {limit:g}"


def whole(most: int = 2**63 - 1, least: int = 0) -> Check:
    """Return a check for a JSON integer."""
    return lambda value: type(value) is int and least <= value <= most, f"a whole number from {least} to {most}"


def of_type(kind: type, expected: str, fits: Callable[[Any], object] = lambda value: True) -> Check:
    """Return a check for an exact type and a predicate."""
    return lambda value: type(value) is kind and bool(fits(value)), expected
