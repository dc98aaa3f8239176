"""
What a link to the page carries, as readable query parameters: settings, prompt, checkpoint, tab, view, lecture.

The page makes the links (control_view/share.js); here they are read. Anyone can have written one: what is wrong with it
is told in the words of `wishes`, and the defaults stand in its place.
"""

import re
import reprlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from charrnn.gradient_flow import KNOB
from charrnn.ranges import number_in
from charrnn.seeds import SEEDS
from charrnn.ui import lab_map, wishes
from charrnn.ui.clamps import Usual, clamps_of
from charrnn.ui.example import prompt_for
from charrnn.ui.messages import notice
from charrnn.ui.store import Reader, Store
from charrnn.ui.wishes import (
    LARGEST_EXACT,
    LONGEST_NAME,
    LONGEST_PASSAGE,
    LONGEST_PROMPT,
    LONGEST_RUN,
    OF_SAMPLING,
    SPEEDS,
    Choice,
    Manner,
    Wishes,
)

# As control_view.html has them: what a bare address writes.
DEFAULTS: dict[str, Any] = {
    "temperature": 0.8,
    "top_k": 0,
    "top_p": 1.0,
    "min_p": 0.0,
    "speed": 30.0,
    "prompt": "ROMEO:\n",
    "seed": 7,
    "characters": 400,
}
TABS = {
    "write": lab_map.WRITE,
    "gradients": lab_map.GRADIENTS,
    "neurons": lab_map.NEURONS,
    "compare": lab_map.COMPARE,
    "hood": lab_map.HOOD,
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

T = TypeVar("T")


@dataclass(frozen=True)
class Link:
    """
    What an address asks for, every value of it usable.

    given: the names in it that were understood; shown: what the page itself has to set, by the same names;
    problems: what could not be used, a sentence each; passage: a text to be read instead of a prompt.
    """

    wishes: Wishes
    passage: str = ""
    given: frozenset[str] = frozenset()
    shown: Mapping[str, Any] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    warning: str = ""

    @property
    def view(self) -> str:
        """What the heatmap shows; empty for the model's first."""
        return self.shown.get("view", "")

    @property
    def to_write(self) -> int:
        """How many characters; after a passage only where the address says so."""
        return 0 if self.passage and "characters" not in self.given else self.wishes.characters

    def notice(self) -> dict[str, str] | None:
        """What the visitor is told about the link; None where all of it could be used."""
        said = [self.warning] if self.warning else []
        if self.problems:
            more = len(self.problems) - MOST_PROBLEMS
            named = "; ".join(self.problems[:MOST_PROBLEMS]) + (f"; and {more} more" if more > 0 else "")
            said.append(f"Not all of this link could be used, and the defaults stand in its place: {named}.")
        return notice(" ".join(said), problem=True) if said else None

    def told(self) -> dict[str, Any]:
        """What the page sets: every setting, and of the rest what was given."""
        manner, settings = self.wishes.manner, self.wishes.manner.settings
        told = {name: getattr(settings, name) for name in ("temperature", "top_k", "top_p", "min_p")}
        told |= {name: getattr(self.wishes, name) for name in ("prompt", "seed", "characters")}
        told |= {"read": self.passage} if self.passage else {}
        told |= {"edits": sorted(self.wishes.edits.items()), "write": self.to_write}
        return told | {"speed": manner.speed, **self.shown}


def follow(store: Store, sent: Mapping[str, str], scenes: int = 0) -> Link:
    """What the parameters of an address ask for. Raises CheckpointError where there is no checkpoint at all."""
    found = _Found(sent)
    settings = {
        name: found.take(name, lambda value, name=name: OF_SAMPLING[name].read(name, value), DEFAULTS[name])
        for name in ("temperature", "top_k", "top_p", "min_p")
    }
    sampling = wishes.sampling(**settings)
    speed = found.take("speed", lambda value: SPEEDS.read("speed", value), DEFAULTS["speed"])
    passage = found.take("read", _passage, "")
    seed = found.take("seed", lambda value: SEEDS.read("seed", value), DEFAULTS["seed"])
    characters = found.take(
        "characters",
        lambda value: wishes.whole("characters", number_in(value), 1, LONGEST_RUN),
        DEFAULTS["characters"],
    )
    edits = found.take("edits", _edits, {})
    reader = _checkpoint(store, found)
    prompt = found.take("prompt", _prompt, prompt_for(reader, DEFAULTS["prompt"]))
    warning = found.take("sha", lambda value: _other_revision(reader, value), "")
    shown = _shown(store, reader, found, scenes)
    unknown = [name for name in sent if name not in found.asked and not FOREIGN.fullmatch(name)]
    found.problems += [f"there is no setting {reprlib.repr(name)}" for name in unknown]
    choice = Choice(reader.info.name, reader.checkpoint.step)
    wanted = Wishes(Manner(sampling, speed), choice, prompt, seed, characters, edits)
    return Link(wanted, passage, frozenset(found.given), shown, tuple(found.problems), warning)


class _Found:
    """The parameters of an address, taken one after the other; what is wrong with one is noted."""

    def __init__(self, sent: Mapping[str, str]):
        self.sent = sent
        self.asked: set[str] = set()
        self.given: set[str] = set()
        self.problems: list[str] = []

    def take(self, name: str, read: Callable[[str], T], default: T) -> T:
        self.asked.add(name)
        if name not in self.sent:
            return default
        try:
            value = read(self.sent[name])
        except ValueError as error:
            self.problems.append(str(error))
            return default
        self.given.add(name)
        return value


def _prompt(value: str) -> str:
    return wishes.text("prompt", _as_typed(value), LONGEST_PROMPT)


def _passage(value: str) -> str:
    return wishes.text("passage", _as_typed(value), LONGEST_PASSAGE)


def _as_typed(value: str) -> str:
    """With line ends as a text box has them."""
    return value.replace("\r\n", "\n").replace("\r", "\n")


def _range(value: str) -> tuple[int, int]:
    """First and last row of the heatmap in sight, from 1: 13-40."""
    ends = re.fullmatch(r"(\d{1,5})-(\d{1,5})", value)
    if not ends or not 1 <= int(ends[1]) <= int(ends[2]):
        raise ValueError(f"range is {reprlib.repr(value)}: give two rows of the heatmap, as in 13-40")
    return int(ends[1]), int(ends[2])


def _edits(value: str) -> dict[int, str]:
    """Position and character, one pair after the other: 12:a,40:b. A character can be a comma, too."""
    wishes.text("edits", value, LONGEST_LIST)
    if not re.fullmatch(r"(\d{1,6}:.)(,\d{1,6}:.)*", value, re.DOTALL):
        raise ValueError(f"edits is {reprlib.repr(value)}: give position:character, separated by commas")
    pairs = re.findall(r"(\d{1,6}):(.)(?:,|$)", value, re.DOTALL)
    return wishes.edits_of([[int(position), character] for position, character in pairs])


def _checkpoint(store: Store, found: _Found) -> Reader:
    """The checkpoint asked for; of an unknown model or step the default one."""

    def named(value: str) -> Reader:
        return store.reader(wishes.text("model", value, LONGEST_NAME))

    def at_step(value: str) -> Reader:
        return store.reader(reader.info.name, wishes.whole("step", number_in(value), 0, LARGEST_EXACT))

    reader = found.take("model", named, None) or store.reader()
    if "model" in found.sent and "model" not in found.given:
        found.asked.add("step")  # it belongs to a model that is not here
        return reader
    return found.take("step", at_step, reader)


def _other_revision(reader: Reader, value: str) -> str:
    """What to say where the checkpoint is not the one the link was made with. Raises ValueError."""
    if not re.fullmatch(r"[0-9a-f]{8,64}", value):
        raise ValueError(f"sha is {reprlib.repr(value)}: give 8 to 64 hexadecimal digits")
    here = reader.info.sha256
    if here.startswith(value):
        return ""
    return (
        f"This link was made with another checkpoint {reader.info.name!r}: its sha256 begins with {value[:12]}, of the "
        f"one here with {here[:12]}. The text may differ."
    )


def _shown(store: Store, reader: Reader, found: _Found, scenes: int) -> dict[str, Any]:
    """What the page sets besides the settings."""

    def some(known: Mapping[str, Any] | list[str], what: str) -> Callable[[str], list[str]]:
        def read(value: str) -> list[str]:
            names = [name for name in wishes.text(what, value, LONGEST_LIST).split(",") if name]
            unknown = [name for name in names if name not in known]
            found.problems.extend(f"{what} names {reprlib.repr(name)}: give {', '.join(known)}" for name in unknown[:3])
            return [name for name in names if name in known]

        return read

    scene = lambda value: wishes.whole("scene", number_in(value), 1, scenes)  # noqa: E731
    readers: dict[str, Callable[[str], Any]] = {
        "tab": lambda value: TABS[_one_of("tab", value, TABS)],
        "view": lambda value: _one_of("view", value, reader.names),
        "change": lambda value: _one_of("change", value, ("0", "1")) == "1",
        "rows": lambda value: _one_of("rows", value, ROWS),
        "range": _range,
        "tick": some([info.name for info in store.infos()], "tick"),
        "hide": some(HIDEABLE, "hide"),
        "unit": lambda value: _unit(reader, value),
        "clamp": lambda value: _clamps(store, reader, value),
        "knob": lambda value: wishes.number("knob", number_in(value), *KNOB),
        "lecture": lambda value: _one_of("lecture", value, ("0", "1")) == "1",
        "scene": scene,
    }
    taken = {name: found.take(name, read, None) for name, read in readers.items()}
    if taken["tab"] in [TABS.get(name) for name in taken["hide"] or ()]:
        taken["tab"] = None
    return {name: value for name, value in taken.items() if value is not None}


def _unit(reader: Reader, value: str) -> tuple[str, int]:
    """Which unit the tab Neurons looks at: name:unit."""
    if not re.fullmatch(r"[^:]{1,40}:\d{1,6}", value):
        raise ValueError(f"unit is {reprlib.repr(value)}: give name:unit")
    name, unit = value.split(":")
    return _one_of("unit", name, reader.names), wishes.whole("unit", int(unit), 0, reader.info.hidden_dim - 1)


def _clamps(store: Store, reader: Reader, value: str) -> list[tuple[str, int | None, float]]:
    """What is to be held: name:unit:value, one after the other; the unit `all` is every one."""
    wishes.text("clamp", value, LONGEST_LIST)
    if not re.fullmatch(r"[^:,]+:(\d{1,6}|all):[^:,]+(,[^:,]+:(\d{1,6}|all):[^:,]+)*", value):
        raise ValueError(
            f"clamp is {reprlib.repr(value)}: give name:unit:value, or name:all:value, separated by commas"
        )
    sent = [each.split(":") for each in value.split(",")]
    asked = [
        {"name": name, "unit": None if unit == "all" else int(unit), "value": number_in(at)} for name, unit, at in sent
    ]
    return [(clamp.name, clamp.unit, clamp.value) for clamp in clamps_of(Usual.of(store, reader), asked)]


def _one_of(name: str, value: str, known: Any) -> str:
    if value not in known:
        raise ValueError(f"{name} is {reprlib.repr(value)}: give one of {', '.join(known)}")
    return value
