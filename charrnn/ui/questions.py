"""What a view asks the server to show. Anything could have sent it: each check names the value and the limits."""

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from charrnn.ui import wishes
from charrnn.ui.wishes import LONGEST_NAME, Choice

MOST_NAMES = 64
Wanted = Callable[[], bool]  # whether somebody still waits for an answer
MAX_PAGES = 1000  # whose newest query is remembered; for the others every answer counts as wanted
NARROWEST, WIDEST = 120, 4000  # pixels


@dataclass(frozen=True)
class Question:
    """
    What a view wants to know: about which checkpoints, how wide its figure is, and what its form says.

    number: counts the questions of a view; names: the checkpoints ticked, None where the visitor has not chosen;
    choice: what stands in the picker.
    """

    number: int = 0
    width: int = 900
    choice: Choice = Choice(None, None)
    names: tuple[str, ...] | None = None
    form: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_page(cls, data: Any) -> "Question":
        """Read it from what the page sent. Raises ValueError."""
        sent = data if isinstance(data, Mapping) else {}
        names, form = sent.get("names"), sent.get("form")
        if names is not None and not (isinstance(names, list) and len(names) <= MOST_NAMES):
            raise ValueError(f"names is not a list of at most {MOST_NAMES}")
        return cls(
            number_of(data),
            wishes.whole("width", sent.get("width"), NARROWEST, WIDEST),
            Choice.from_page(sent),
            None if names is None else tuple(wishes.text("checkpoint", name, LONGEST_NAME) for name in names),
            form if isinstance(form, Mapping) else {},
        )

    def text(self, name: str, longest: int) -> str:
        """What stands in a text box of the form. Raises ValueError."""
        return wishes.text(name, self.form.get(name, ""), longest)

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


def number_of(data: Any) -> int:
    """The number of a question; 0 where there is none."""
    return wishes.count_of("number", data)


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
