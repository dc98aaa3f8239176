"""The colours of every figure, for paper and for a dark screen; and which line belongs to which model."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import NamedTuple

SANS = 'system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif'
MONO = 'ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace'


@dataclass(frozen=True)
class Palette:
    """
    The colours of the page, as in ui/theme.css, and one for each model.

    A model's colour is dark (or bright) enough for words; two models with the same dash can be told apart in every kind
    of colour blindness, the others by their dash.
    """

    paper: str
    ink: str
    quiet: str
    line: str
    blue: str
    orange: str
    models: tuple[str, ...]
    veil: float  # the opacity of an area in a model's colour


LIGHT = Palette(
    paper="#fbfaf8",
    ink="#1d1c1a",
    quiet="#68645e",
    line="#e7e3dc",
    blue="#0b6e99",
    orange="#a9441a",
    models=(
        *("#0b6e99", "#a8500a", "#1f7a3c", "#8220c4", "#c4255f", "#02564b"),
        *("#6b5a00", "#1b2fa3", "#5e3c10", "#5a1650", "#7d1d1d", "#1c3d0a"),
    ),
    veil=0.15,
)
DARK = Palette(
    paper="#131417",
    ink="#ece9e3",
    quiet="#9b978f",
    line="#2b2e34",
    blue="#5cb8e0",
    orange="#f0925f",
    models=(
        *("#5cb8e0", "#f0803c", "#a9e08c", "#b98cf0", "#e0708c", "#86c9b4"),
        *("#efcc1d", "#8a97fb", "#d9a25a", "#f9d2fc", "#e58b86", "#4cae4a"),
    ),
    veil=0.17,
)

SOLID, DASHED, DOTTED, MIXED = "solid", "9px,4px", "3px,3px", "9px,3px,2px,3px"
DASHES = (SOLID, MIXED, DASHED, DOTTED, DOTTED, MIXED, SOLID, DASHED, DOTTED, MIXED, DASHED, SOLID)
GHOST = "1px,4px"

# The models of the lab keep their lines whatever else lies in the folder.
PLACES = ("rnn", "gru", "lstm", "minigpt", "best", "rnn-layernorm", "lstm-layernorm", "rnn-stateful", "rnn-lab")
PLACES += ("rnn-seq256", "rnn-seq512")


class Stroke(NamedTuple):
    """How a model's line is drawn."""

    colour: str
    dash: str


def strokes(names: Sequence[str], palette: Palette) -> dict[str, Stroke]:
    """A line for each of these checkpoints; no two the same as long as there are no more than twelve."""
    place_of = {name: PLACES.index(name) for name in names if name in PLACES}
    free = sorted(set(range(len(DASHES))) - set(place_of.values())) or range(len(DASHES))
    others = [name for name in names if name not in PLACES]
    place_of |= dict(zip(others, cycle(free), strict=False))
    return {name: Stroke(palette.models[place_of[name]], DASHES[place_of[name]]) for name in names}


def faint(colour: str, opacity: float) -> str:
    """The colour #rrggbb for an area that lets what lies below be seen."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red}, {green}, {blue}, {opacity})"
