"""Queries of views. A newer query of a page supersedes the older ones."""

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from charrnn.ranges import Range
from charrnn.ui.server import request_parameters
from charrnn.ui.server.request_parameters import MAX_SAFE_INTEGER, Choice, Chosen, Name, within

MAX_NAMES = 64
IsCurrent = Callable[[], bool]  # False if the result is no longer needed
MAX_PAGES = 1000  # pages with a recorded query; queries of other pages are never superseded
WIDTHS = Range(120, 4000, whole=True)  # pixels


class ViewQuery(BaseModel):
    """A query of a view: the selected checkpoints, figure width and form values.

    number: counts the queries of a view; names: the selected checkpoints, None before a selection; choice: the
    checkpoint in the picker.
    """

    model_config = ConfigDict(frozen=True, populate_by_name=True)
    number: Annotated[int, within(Range(0, MAX_SAFE_INTEGER, whole=True))] = 0
    width: Annotated[int, within(WIDTHS)] = 900
    choice: Chosen = Field(default=Choice(), validation_alias="checkpoint")
    names: Annotated[tuple[Name, ...], Field(max_length=MAX_NAMES)] | None = None
    form: Mapping[str, Any] = Field(default_factory=dict)

    @classmethod
    def from_page(cls, data: Any) -> "ViewQuery":
        """Validate a query sent by the page. Raises ValueError."""
        return request_parameters.validate(cls, data)

    def text(self, name: str, max_chars: int) -> str:
        """Return a text box of the form. Raises ValueError."""
        kind = dict[str, Annotated[str, Field(max_length=max_chars)]]
        return request_parameters.validate(kind, {name: self.form.get(name, "")})[name]

    def one_of(self, name: str, known: Sequence[str]) -> str:
        """Return the chosen option, by default the first one. Raises ValueError."""
        value = self.form.get(name, known[0])
        if value not in known:
            raise ValueError(f"{name} is {value!r:.80}: give one of {', '.join(known)}")
        return value

    def some_of(self, name: str, known: Sequence[str]) -> list[str]:
        """Return the checked options in order; all if the form does not list them."""
        value = self.form.get(name, known)
        return [option for option in known if isinstance(value, Sequence) and option in value]


class Superseded(Exception):
    """Raised when a newer query has replaced this one."""


def require_current(is_current: IsCurrent) -> None:
    """Raise Superseded if the result is no longer needed."""
    if not is_current():
        raise Superseded


def until_superseded(messages: Iterator[str]) -> Iterator[str]:
    """Yield messages until the query is superseded."""
    with suppress(Superseded):
        yield from messages


class LatestQuery:
    """The number of the newest query of a view, for each open page."""

    def __init__(self) -> None:
        self._numbers: OrderedDict[str, int] = OrderedDict()

    def start(self, page: str, number: int) -> None:
        """Record a query of a page."""
        self._numbers[page] = max(number, self.number(page))
        self._numbers.move_to_end(page)
        if len(self._numbers) > MAX_PAGES:
            self._numbers.popitem(last=False)

    def number(self, page: str) -> int:
        """Return the number of the newest query of a page; -1 if unknown."""
        return self._numbers.get(page, -1)
