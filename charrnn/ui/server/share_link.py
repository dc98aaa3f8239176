"""
What a link to the page carries, as readable query parameters: settings, prompt, checkpoint, tab, view, lecture.

The page makes the links (sidebar/share.js); here they are read. Anyone can have written one: what is wrong with it
is told in the words of `wishes`, and the defaults stand in its place.
"""

import re
import reprlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator, ValidationError

from charrnn.gradient_flow import KNOB
from charrnn.ranges import Range, number_in
from charrnn.ui import tabs
from charrnn.ui.server.checkpoint_store import Reader, Store
from charrnn.ui.server.clamp_requests import Usual, clamps_of
from charrnn.ui.server.defaults import prompt_for
from charrnn.ui.server.notices import notice
from charrnn.ui.server.validation import (
    LONGEST_PASSAGE,
    LONGEST_RUN,
    MOST_EDITS,
    SPEEDS,
    Character,
    Characters,
    Name,
    Prompt,
    Step,
    Writing,
    problems,
    within,
)

TABS = {
    "write": tabs.WRITE,
    "gradients": tabs.GRADIENTS,
    "neurons": tabs.NEURONS,
    "compare": tabs.COMPARE,
    "hood": tabs.HOOD,
}
ROWS = ("similarity", "index", "activity")
LONGEST_LIST = 2000
MOST_PROBLEMS = 6

# Controls and tabs that `hide=` can take away, and where they are.
HIDEABLE = {
    "model": ".cr-model",
    **{name: f'.cr-slider[data-name="{name}"]' for name in ("step", "temperature", "top_k", "top_p", "min_p", "speed")},
    "seed": ".cr-pair > :has(#cr-seed)",
    "characters": ".cr-pair > :has(#cr-characters)",
    "more": ".cr-more",
    "prompt": ".cr-prompt",
    "share": ".cr-share",
    "distribution": ".cr-distribution",
    "heatmap": ".cr-map",
    "knob": "#cr-knob",
    **{name: f"#cr-tab-{name}-button" for name in TABS if name != "write"},
}
# Parameters that are not ours: Gradio's, the Hub's, and those that mailers and networks append.
FOREIGN = re.compile(r"__.*|utm_.*|logs|fbclid|gclid|session_hash")


@dataclass
class Here:
    """What the parameters of an address are read by: the checkpoints here, first of all the one that it names."""

    store: Store
    scenes: int
    chosen: Reader | None = None
    problems: list[str] = field(default_factory=list)  # with single entries of a list

    @property
    def reader(self) -> Reader:
        """The checkpoint that the address names, by default the first on offer. Raises CheckpointError."""
        self.chosen = self.chosen or self.store.reader()
        return self.chosen

    def model(self, name: str) -> str:
        self.chosen = self.store.reader(name)
        return name

    def step(self, step: int) -> int:
        self.chosen = self.store.reader(self.reader.info.name, step)
        return step

    def view(self, name: str) -> str:
        return _known(name, self.reader.names)

    def unit(self, value: str) -> tuple[str, int]:
        """Which unit the tab Neurons looks at: name:unit."""
        if not re.fullmatch(r"[^:]{1,40}:\d{1,6}", value):
            raise ValueError("give name:unit")
        name, unit = value.split(":")
        if name not in self.reader.names:
            raise ValueError(f"unit is {name!r}: give one of {', '.join(self.reader.names)}")
        return name, Range(0, self.reader.info.hidden_dim - 1, whole=True).require("unit", int(unit))

    def clamp(self, value: str) -> list[tuple[str, int | None, float]]:
        """What is to be held: name:unit:value, one after the other; the unit `all` is every one."""
        if not re.fullmatch(r"[^:,]+:(\d{1,6}|all):[^:,]+(,[^:,]+:(\d{1,6}|all):[^:,]+)*", value):
            raise ValueError("give name:unit:value, or name:all:value, separated by commas")
        sent = [each.split(":") for each in value.split(",")]
        asked = [
            {"name": name, "unit": None if unit == "all" else int(unit), "value": number_in(at)}
            for name, unit, at in sent
        ]
        return [(clamp.name, clamp.unit, clamp.value) for clamp in clamps_of(Usual.of(self.store, self.reader), asked)]

    def scene(self, number: Any) -> int:
        return Range(1, self.scenes, whole=True).require("scene", number)

    def tick(self, value: str) -> list[str]:
        return self._some("tick", value, [info.name for info in self.store.infos()])

    def hide(self, value: str) -> list[str]:
        return self._some("hide", value, [*HIDEABLE])

    def _some(self, what: str, value: str, known: list[str]) -> list[str]:
        names = [name for name in value.split(",") if name]
        unknown = [name for name in names if name not in known]
        self.problems += [f"{what} names {reprlib.repr(name)}: give {', '.join(known)}" for name in unknown[:3]]
        return [name for name in names if name in known]


def _here(read: Callable[[Here, Any], Any]) -> AfterValidator:
    """Validator that reads a parameter by what is here."""
    return AfterValidator(lambda value, info: read(info.context, value))


def _known(value: str, known: Any) -> str:
    if value not in known:
        raise ValueError(f"give one of {', '.join(known)}")
    return value


def _range(value: str) -> tuple[int, int]:
    """First and last row of the heatmap in sight, from 1: 13-40."""
    ends = re.fullmatch(r"(\d{1,5})-(\d{1,5})", value)
    if not ends or not 1 <= int(ends[1]) <= int(ends[2]):
        raise ValueError("give two rows of the heatmap, as in 13-40")
    return int(ends[1]), int(ends[2])


def _pairs(value: str) -> list[tuple[int, str]]:
    """Position and character, one pair after the other: 12:a,40:b. A character can be a comma, too."""
    if len(value) > LONGEST_LIST or not re.fullmatch(r"(\d{1,6}:.)(,\d{1,6}:.)*", value, re.DOTALL):
        raise ValueError("give position:character, separated by commas")
    pairs = re.findall(r"(\d{1,6}):(.)(?:,|$)", value, re.DOTALL)
    return sorted({int(position): character for position, character in pairs}.items())


def _sha(value: str) -> str:
    if not re.fullmatch(r"[0-9a-f]{8,64}", value):
        raise ValueError("give 8 to 64 hexadecimal digits")
    return value


List = Annotated[str, Field(max_length=LONGEST_LIST)]
AS_TYPED = BeforeValidator(lambda value: value.replace("\r\n", "\n").replace("\r", "\n"))  # as a text box has it
FLAG = PlainValidator(lambda value: _known(value, ("0", "1")) == "1")
POSITIONS = Range(0, LONGEST_RUN - 1, whole=True)
NUMBERS = ("temperature", "top_k", "top_p", "min_p", "speed", "seed", "characters", "step", "knob", "scene")


class LinkQuery(Writing):
    """The parameters of an address, as the page takes them; None is for what it does not name."""

    model: Annotated[Name, _here(Here.model)] = ""
    step: Annotated[Step, _here(Here.step)] = 0
    speed: Annotated[float, within(SPEEDS)] = 30.0
    characters: Characters = 400
    prompt: Annotated[Prompt, AS_TYPED] = Writing.model_fields["prompt"].default
    read: Annotated[str, Field(max_length=LONGEST_PASSAGE), AS_TYPED] | None = None
    edits: Annotated[
        list[tuple[Annotated[int, within(POSITIONS)], Character]], Field(max_length=MOST_EDITS), BeforeValidator(_pairs)
    ] = Field(default_factory=list)
    tab: Annotated[str | None, AfterValidator(lambda value: TABS[_known(value, TABS)])] = None
    view: Annotated[str | None, _here(Here.view)] = None
    change: Annotated[bool | None, FLAG] = None
    rows: Annotated[str | None, AfterValidator(lambda value: _known(value, ROWS))] = None
    range: Annotated[tuple[int, int] | None, PlainValidator(_range)] = None
    tick: Annotated[Any, _here(Here.tick)] = None
    hide: Annotated[Any, _here(Here.hide)] = None
    unit: Annotated[Any, _here(Here.unit)] = None
    clamp: Annotated[Any, _here(Here.clamp)] = None
    knob: Annotated[float | None, within(Range(*KNOB))] = None
    lecture: Annotated[bool | None, FLAG] = None
    scene: Annotated[Any, _here(Here.scene)] = None
    sha: Annotated[str, AfterValidator(_sha)] = ""


# What a bare address writes, as control_view.html has it.
DEFAULTS: dict[str, Any] = {
    name: LinkQuery.model_fields[name].default
    for name in ("temperature", "top_k", "top_p", "min_p", "speed", "prompt", "seed", "characters")
}


@dataclass(frozen=True)
class Link:
    """What an address asks for, every value of it usable; problems: what could not be used, a sentence each."""

    query: LinkQuery
    reader: Reader
    problems: tuple[str, ...] = ()

    @property
    def to_write(self) -> int:
        """How many characters; after a passage only where the address says so."""
        query = self.query
        return 0 if query.read and "characters" not in query.model_fields_set else query.characters

    def notice(self) -> dict[str, str] | None:
        """What the visitor is told about the link; None where all of it could be used."""
        sha, info = self.query.sha, self.reader.info
        said = []
        if not info.sha256.startswith(sha):
            said.append(
                f"This link was made with another checkpoint {info.name!r}: its sha256 begins with {sha[:12]}, of the "
                f"one here with {info.sha256[:12]}. The text may differ."
            )
        if self.problems:
            more = len(self.problems) - MOST_PROBLEMS
            named = "; ".join(self.problems[:MOST_PROBLEMS]) + (f"; and {more} more" if more > 0 else "")
            said.append(f"Not all of this link could be used, and the defaults stand in its place: {named}.")
        return notice(" ".join(said), problem=True) if said else None

    def told(self) -> dict[str, Any]:
        """What the page sets: every setting, and of the rest what was given."""
        hidden = {"model", "step", "sha"} | (set() if self.query.read else {"read"})
        return self.query.model_dump(exclude=hidden, exclude_none=True) | {"write": self.to_write}


def follow(store: Store, sent: Mapping[str, str], scenes: int = 0) -> Link:
    """What the parameters of an address ask for. Raises CheckpointError where there is no checkpoint at all."""
    fields, found = LinkQuery.model_fields, list[str]()
    asked = {name: number_in(text) if name in NUMBERS else text for name, text in sent.items() if name in fields}
    while True:
        here = Here(store, scenes)
        try:
            query = LinkQuery.model_validate(asked, context=here)
            break
        except ValidationError as error:
            wrong = problems(error)
            if "model" in wrong:
                asked.pop("step", None)  # it belongs to a model that is not here
                wrong.pop("step", None)
            found += wrong.values()
            asked = {name: value for name, value in asked.items() if name not in wrong}
    unknown = [name for name in sent if name not in fields and not FOREIGN.fullmatch(name)]
    found += [*here.problems, *(f"there is no setting {reprlib.repr(name)}" for name in unknown)]
    settled: dict[str, Any] = {"model": here.reader.info.name, "step": here.reader.checkpoint.step}
    if "prompt" not in query.model_fields_set:
        settled["prompt"] = prompt_for(here.reader, query.prompt)
    if query.tab in [TABS.get(name) for name in query.hide or ()]:
        settled["tab"] = None
    return Link(query.model_copy(update=settled), here.reader, tuple(found))
