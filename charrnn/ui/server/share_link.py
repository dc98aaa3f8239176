"""Parses links to the page: settings, prompt, checkpoint, tab, view, lecture.

The page creates the links (sidebar/share.js). Their query parameters are untrusted: an invalid value is reported with
the messages of `request_parameters` and replaced by its default. Parameters of other names, which browsers, mailers and
the Hub add, are ignored.
"""

import re
import reprlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator, ValidationError

from charrnn.gradient_flow import SCALE_RANGE
from charrnn.ranges import Range, number_in
from charrnn.seeds import SEEDS
from charrnn.ui import tabs
from charrnn.ui.server.checkpoint_store import LoadedModel, Store
from charrnn.ui.server.clamp_requests import ActivationStats, clamps_of
from charrnn.ui.server.generation_defaults import prompt_for
from charrnn.ui.server.page_messages import notice
from charrnn.ui.server.request_parameters import (
    CHARACTERS,
    MAX_EDITS,
    MAX_PASSAGE_CHARS,
    MAX_RUN_CHARS,
    SAMPLING_LIMITS,
    SPEEDS,
    STEPS,
    Character,
    Characters,
    Name,
    Prompt,
    Step,
    Writing,
    describe_errors,
    within,
)

TABS = {
    "write": tabs.WRITE,
    "gradients": tabs.GRADIENTS,
    "neurons": tabs.NEURONS,
    "compare": tabs.COMPARE,
    "hood": tabs.HOOD,
    "lab": tabs.LAB_SHEET,
}
ROWS = ("similarity", "index", "activity")
MAX_LIST_CHARS = 2000
MAX_PROBLEMS = 6
MAX_COUPLED_CHARS = 1000  # of the texts of the tab Compare
POSITIONS = Range(0, MAX_RUN_CHARS - 1, whole=True)
NUMBERS = SAMPLING_LIMITS | {
    "seed": SEEDS,
    "step": STEPS,
    "speed": SPEEDS,
    "characters": CHARACTERS,
    "knob": Range(*SCALE_RANGE),
    **{f"{side}_{name}": SAMPLING_LIMITS[name] for side in "ab" for name in ("temperature", "top_k", "top_p")},
    "ab_seed": SEEDS,
    "ab_characters": Range(1, MAX_COUPLED_CHARS, whole=True),
}
# The form of each text parameter that has one, and what to give.
FORMS = {
    "edits": ("[0-9]{1,6}:.(,[0-9]{1,6}:.)*", "give position:character, separated by commas"),
    "range": ("[0-9]{1,5}-[0-9]{1,5}", "give two rows of the heatmap, as in 13-40"),
    "color": ("none|surprise|[^:]{1,40}:[0-9]{1,6}", "give none, surprise or name:unit"),
    "unit": ("[^:]{1,40}:[0-9]{1,6}", "give name:unit"),
    "clamp": (
        "[^:,]+:([0-9]{1,6}|all):[^:,]+(,[^:,]+:([0-9]{1,6}|all):[^:,]+)*",
        "give name:unit:value, or name:all:value, separated by commas",
    ),
    "sha": ("[0-9a-f]{8,64}", "give 8 to 64 hexadecimal digits"),
}

# Controls and tabs that `hide=` can hide, by selector.
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


@dataclass
class LinkContext:
    """Validation context of a link: the available checkpoints and the chosen model."""

    store: Store
    scenes: int
    chosen: LoadedModel | None = None
    problems: list[str] = field(default_factory=list)  # of single list items

    @property
    def loaded(self) -> LoadedModel:
        """Return the chosen model, by default the first one. Raises CheckpointError."""
        self.chosen = self.chosen or self.store.load()
        return self.chosen

    def model(self, name: str) -> str:
        self.chosen = self.store.load(name)
        return name

    def step(self, step: int) -> int:
        self.chosen = self.store.load(self.loaded.info.name, step)
        return step

    def view(self, name: str) -> str:
        return _one_of(name, self.loaded.view_names)

    def unit(self, value: str) -> tuple[str, int]:
        """Parse the selected unit of the tab Neurons: name:unit."""
        return self._unit_of("unit", _in_form("unit", value))

    def color(self, value: str) -> str | tuple[str, int]:
        """Parse the colors of the text: none, surprise or name:unit."""
        return self._unit_of("color", value) if ":" in _in_form("color", value) else value

    def clamp(self, value: str) -> list[tuple[str, int | None, float]]:
        """Parse clamps: a list of name:unit:value; the unit `all` means every unit."""
        requested = [
            {"name": name, "unit": None if unit == "all" else int(unit), "value": number_in(number)}
            for name, unit, number in (clamp.split(":") for clamp in _in_form("clamp", value).split(","))
        ]
        clamps = clamps_of(ActivationStats.of(self.store, self.loaded), requested)
        return [(clamp.name, clamp.unit, clamp.value) for clamp in clamps]

    def side(self, value: str) -> tuple[str, int]:
        """Parse a model of the tab Compare: name, or name:step."""
        steps_of = {info.name: info.saved_steps for info in self.store.checkpoints()}
        if value in steps_of:
            return value, steps_of[value][-1]
        name, _, step = value.rpartition(":")
        if step not in map(str, steps_of.get(name, ())):
            raise ValueError(f"give one of {', '.join(steps_of)}, or name:step with a saved step")
        return name, int(step)

    def scene(self, number: Any) -> int:
        return Range(1, self.scenes, whole=True).require("scene", number)

    def tick(self, value: str) -> list[str]:
        return self._some_of("tick", value, [info.name for info in self.store.checkpoints()])

    def hide(self, value: str) -> list[str]:
        return self._some_of("hide", value, [*HIDEABLE])

    def _unit_of(self, parameter: str, value: str) -> tuple[str, int]:
        name, unit = value.split(":")
        if name not in self.loaded.view_names:
            raise ValueError(f"{parameter} is {name!r}: give one of {', '.join(self.loaded.view_names)}")
        return name, Range(0, self.loaded.info.hidden_dim - 1, whole=True).require("unit", int(unit))

    def _some_of(self, parameter: str, value: str, options: list[str]) -> list[str]:
        names = [name for name in value.split(",") if name]
        unknown = [name for name in names if name not in options]
        self.problems += [f"{parameter} names {reprlib.repr(name)}: give {', '.join(options)}" for name in unknown[:3]]
        return [name for name in names if name in options]


def _in_context(parse: Callable[[LinkContext, Any], Any]) -> AfterValidator:
    """Return a validator that calls a method of the validation context."""
    return AfterValidator(lambda value, info: parse(info.context, value))


def _one_of(value: str, options: Any) -> str:
    if value not in options:
        raise ValueError(f"give one of {', '.join(options)}")
    return value


def _in_form(name: str, value: str, is_valid: bool = True) -> str:
    """Return a text parameter in its form. Raises ValueError."""
    pattern, expected = FORMS[name]
    if not is_valid or not re.fullmatch(pattern, value, re.DOTALL):
        raise ValueError(expected)
    return value


def _range(value: str) -> tuple[int, int]:
    """Parse the visible rows of the heatmap, counted from 1: 13-40."""
    first, last = map(int, _in_form("range", value).split("-"))
    if not 1 <= first <= last:
        raise ValueError(FORMS["range"][1])
    return first, last


def _pairs(value: str) -> list[tuple[int, str]]:
    """Parse pairs of position and character: 12:a,40:b. A comma is a character too."""
    text = _in_form("edits", value, len(value) <= MAX_LIST_CHARS)
    pairs = re.findall(r"([0-9]+):(.)(?:,|$)", text, re.DOTALL)
    return sorted({int(position): character for position, character in pairs}.items())


LINE_ENDS = BeforeValidator(lambda value: value.replace("\r\n", "\n").replace("\r", "\n"))
FLAG = PlainValidator(lambda value: _one_of(value or "1", ("0", "1")) == "1")  # `?lecture` too


class LinkQuery(Writing):
    """The query parameters of a link; None if absent."""

    model: Annotated[Name, _in_context(LinkContext.model)] = ""
    step: Annotated[Step, _in_context(LinkContext.step)] = 0
    speed: Annotated[float, within(SPEEDS)] = 30.0
    characters: Characters = 400
    prompt: Annotated[Prompt, LINE_ENDS] = Writing.model_fields["prompt"].default
    read: Annotated[str, Field(max_length=MAX_PASSAGE_CHARS), LINE_ENDS] | None = None
    edits: Annotated[
        list[tuple[Annotated[int, within(POSITIONS)], Character]], Field(max_length=MAX_EDITS), BeforeValidator(_pairs)
    ] = Field(default_factory=list)
    tab: Annotated[str | None, AfterValidator(lambda value: TABS[_one_of(value, TABS)])] = None
    view: Annotated[str | None, _in_context(LinkContext.view)] = None
    color: Annotated[Any, _in_context(LinkContext.color)] = None
    change: Annotated[bool | None, FLAG] = None
    rows: Annotated[str | None, AfterValidator(lambda value: _one_of(value, ROWS))] = None
    range: Annotated[tuple[int, int] | None, PlainValidator(_range)] = None
    tick: Annotated[Any, _in_context(LinkContext.tick)] = None
    hide: Annotated[Any, _in_context(LinkContext.hide)] = None
    unit: Annotated[Any, _in_context(LinkContext.unit)] = None
    clamp: Annotated[Any, _in_context(LinkContext.clamp)] = None
    knob: Annotated[float | None, within(NUMBERS["knob"])] = None
    a: Annotated[Any, _in_context(LinkContext.side)] = None
    b: Annotated[Any, _in_context(LinkContext.side)] = None
    a_temperature: Annotated[float | None, within(NUMBERS["a_temperature"])] = None
    a_top_k: Annotated[int | None, within(NUMBERS["a_top_k"])] = None
    a_top_p: Annotated[float | None, within(NUMBERS["a_top_p"])] = None
    b_temperature: Annotated[float | None, within(NUMBERS["b_temperature"])] = None
    b_top_k: Annotated[int | None, within(NUMBERS["b_top_k"])] = None
    b_top_p: Annotated[float | None, within(NUMBERS["b_top_p"])] = None
    ab_seed: Annotated[int | None, within(NUMBERS["ab_seed"])] = None
    ab_characters: Annotated[int | None, within(NUMBERS["ab_characters"])] = None
    ab_prompt: Annotated[Prompt | None, LINE_ENDS] = None
    lecture: Annotated[bool | None, FLAG] = None
    scene: Annotated[Any, _in_context(LinkContext.scene)] = None
    sha: Annotated[str, AfterValidator(lambda value: _in_form("sha", value))] = ""


# Defaults without a query, as in sidebar.html.
DEFAULTS: dict[str, Any] = {
    name: LinkQuery.model_fields[name].default
    for name in ("temperature", "top_k", "top_p", "min_p", "speed", "prompt", "seed", "characters")
}


@dataclass(frozen=True)
class ShareLink:
    """A parsed link. Its values are valid; `problems` describes each rejected one."""

    query: LinkQuery
    loaded: LoadedModel
    problems: tuple[str, ...] = ()

    @property
    def n_characters(self) -> int:
        """Return the number of characters to generate; after a given text 0 by default."""
        query = self.query
        return 0 if query.read and "characters" not in query.model_fields_set else query.characters

    def notice(self) -> dict[str, str] | None:
        """Describe the rejected parameters; None if all are valid."""
        sha, info = self.query.sha, self.loaded.info
        messages = []
        if not info.sha256.startswith(sha):
            messages.append(
                f"This link was made with another checkpoint {info.name!r}: its sha256 begins with {sha[:12]}, of the "
                f"one here with {info.sha256[:12]}. The text may differ."
            )
        if self.problems:
            more = len(self.problems) - MAX_PROBLEMS
            named = "; ".join(self.problems[:MAX_PROBLEMS]) + (f"; and {more} more" if more > 0 else "")
            messages.append(f"Part of this link could not be used, and the default was taken: {named}.")
        return notice(" ".join(messages), problem=True) if messages else None

    def to_json(self) -> dict[str, Any]:
        """Return all settings, and the other values that were given."""
        hidden = {"model", "step", "sha"} | (set() if self.query.read else {"read"})
        return self.query.model_dump(exclude=hidden, exclude_none=True) | {"write": self.n_characters}


def parse_link(store: Store, sent: Mapping[str, str], scenes: int = 0) -> ShareLink:
    """Parse query parameters. Raises CheckpointError if there are no checkpoints."""
    fields, found = LinkQuery.model_fields, list[str]()
    numbers = {*NUMBERS, "scene"}
    requested = {name: number_in(text) if name in numbers else text for name, text in sent.items() if name in fields}
    while True:
        context = LinkContext(store, scenes)
        try:
            query = LinkQuery.model_validate(requested, context=context)
            break
        except ValidationError as error:
            wrong = describe_errors(error)
            if "model" in wrong:
                requested.pop("step", None)  # of the missing model
                wrong.pop("step", None)
            found += wrong.values()
            requested = {name: value for name, value in requested.items() if name not in wrong}
    found += context.problems
    resolved: dict[str, Any] = {"model": context.loaded.info.name, "step": context.loaded.checkpoint.step}
    if "prompt" not in query.model_fields_set:
        resolved["prompt"] = prompt_for(context.loaded, query.prompt)
    if isinstance(query.color, tuple):
        resolved["view"] = query.color[0]  # the text and the heatmap show one quantity
    if query.tab in [TABS.get(name) for name in query.hide or ()]:
        resolved["tab"] = None
    return ShareLink(query.model_copy(update=resolved), context.loaded, tuple(found))
