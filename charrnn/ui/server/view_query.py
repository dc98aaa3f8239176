"""What a view asks the server to show, and which of its queries is the newest."""

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from charrnn.ranges import Range
from charrnn.ui.server import validation
from charrnn.ui.server.validation import LARGEST_EXACT, Choice, Chosen, Name, within

MOST_NAMES = 64
Wanted = Callable[[], bool]  # whether somebody still waits for an answer
MAX_PAGES = 1000  # whose newest query is remembered; for the others every answer counts as wanted
WIDTHS = Range(120, 4000, whole=True)  # pixels


class Question(BaseModel):
    """
    What a view wants to know: about which checkpoints, how wide its figure is, and what its form says.

    number: counts the questions of a view; names: the checkpoints ticked, None where the visitor has not chosen;
    choice: what stands in the picker.
    """

    model_config = ConfigDict(frozen=True, populate_by_name=True)
    number: Annotated[int, within(Range(0, LARGEST_EXACT, whole=True))] = 0
    width: Annotated[int, within(WIDTHS)] = 900
    choice: Chosen = Field(default=Choice(), validation_alias="checkpoint")
    names: Annotated[tuple[Name, ...], Field(max_length=MOST_NAMES)] | None = None
    form: Mapping[str, Any] = Field(default_factory=dict)

    @classmethod
    def from_page(cls, data: Any) -> "Question":
        """Read it from what the page sent. Raises ValueError."""
        return validation.checked(cls, data)

    def text(self, name: str, longest: int) -> str:
        """What stands in a text box of the form. Raises ValueError."""
        return validation.text(name, self.form.get(name, ""), longest)

    def one_of(self, name: str, known: Sequence[str]) -> str:
        """What is chosen of these; the first where nothing is. Raises ValueError."""
        value = self.form.get(name, known[0])
        if value not in known:
            raise ValueError(f"{name} is {value!r:.80}: give one of {', '.join(known)}")
        return value

    def some_of(self, name: str, known: Sequence[str]) -> list[str]:
        """What is ticked of these, in their order; all of them where the form does not say."""
        value = self.form.get(name, known)
        return [each for each in known if isinstance(value, Sequence) and each in value]


class Superseded(Exception):
    """Raised where a page has asked for something else meanwhile."""


def require(wanted: Wanted) -> None:
    """Raise Superseded where nobody waits any more."""
    if not wanted():
        raise Superseded


def until_superseded(answers: Iterator[str]) -> Iterator[str]:
    """The answers to a question, as long as somebody waits for them."""
    with suppress(Superseded):
        yield from answers


class LatestQuery:
    """The newest query of one view for each open page; work on an older one can stop."""

    def __init__(self) -> None:
        self._numbers: OrderedDict[str, int] = OrderedDict()

    def note(self, page: str, number: int) -> None:
        """Record a query of a page."""
        self._numbers[page] = max(number, self.number(page))
        self._numbers.move_to_end(page)
        if len(self._numbers) > MAX_PAGES:
            self._numbers.popitem(last=False)

    def number(self, page: str) -> int:
        """The newest query of a page; -1 if it is not known."""
        return self._numbers.get(page, -1)
