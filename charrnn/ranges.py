"""Ranges of numbers: one check of what comes from outside, one message with the value and both limits."""

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
    The numbers from `low` to `high`, both included.

    whole: whole numbers only; 7.0 is one, since JSON has no other. above: `low` itself is excluded. zero: 0 is allowed
    as well, and what it means.
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
        """The value as an int or a float. Raises ValueError, with both limits, if it is not in the range."""
        if value not in self:
            raise ValueError(f"{name} is {shown(value)}: give {self}")
        return int(value) if self.whole else float(value)

    def read(self, name: str, text: str) -> Any:
        """The number that a text spells in ASCII digits. Raises ValueError as `require` does."""
        return self.require(name, number_in(text))


def is_number(value: Any) -> bool:
    """Whether a value is a number; True and False are none."""
    return isinstance(value, Real) and not isinstance(value, bool)


def number_in(text: str) -> Any:
    """The number that a text spells in ASCII digits; the text itself if it spells none."""
    if WHOLE.fullmatch(text):
        return int(text)
    if DECIMAL.fullmatch(text) or text.lower() in ("nan", "inf", "-inf"):
        return float(text)
    return text


def written(number: float) -> str:
    """A number in the shortest decimal form that reads back as the same number."""
    return str(int(number)) if number == int(number) and abs(number) < 1e16 else repr(float(number))


def signed(number: float, digits: int = 3) -> str:
    """A number with a typographic sign, none if it rounds to 0."""
    size = f"{abs(number):.{digits}f}"
    return size if float(size) == 0 else f"{'−' if number < 0 else '+'}{size}"


def shown(value: Any) -> str:
    """A value as an error message shows it: short, on one line."""
    if value is None or value == "":
        return "empty"
    if isinstance(value, int) and value.bit_length() > 256:
        return f"about {'-' if value < 0 else ''}2**{value.bit_length()}"
    return str(value) if is_number(value) else reprlib.repr(value)


Check = tuple[Callable[[Any], bool], str]  # whether a value fits, and what is expected


def check_fields(values: Mapping[str, Any], checks: Mapping[str, Check]) -> None:
    """Check values of a JSON object by name. Raises ValueError with the name of the first that does not fit."""
    for name, (fits, expected) in checks.items():
        if not fits(values.get(name)):
            raise ValueError(f"the {name} must be {expected}, not {reprlib.repr(values.get(name))}")


def number(most: float) -> Check:
    """A number from 0 to `most`, as a JSON file has it."""
    return lambda value: type(value) in (int, float) and 0 <= value <= most, f"a number from 0 to {most:g}"


def whole(most: int = 2**63 - 1, least: int = 0) -> Check:
    """A whole number without a decimal point."""
    return lambda value: type(value) is int and least <= value <= most, f"a whole number from {least} to {most}"


def of_type(kind: type, expected: str, fits: Callable[[Any], object] = lambda value: True) -> Check:
    """A value of this very type, of which `fits` is true."""
    return lambda value: type(value) is kind and bool(fits(value)), expected
