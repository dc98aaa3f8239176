"""Figure colors as CSS custom properties, and the line style of each model."""

import json
import re
from collections.abc import Sequence
from itertools import cycle
from typing import NamedTuple

import plotly.graph_objects as go

SANS = 'system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif'
MONO = 'ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace'

# Custom properties of ui/theme.css, with other values in the dark theme and in a lecture.
PAPER, INK, QUIET, LINE = "var(--cr-paper)", "var(--cr-ink)", "var(--cr-quiet)", "var(--cr-line)"
BLUE, ORANGE = "var(--cr-minus)", "var(--cr-words)"
MODELS = tuple(f"var(--cr-model-{i})" for i in range(1, 13))
AREA_OPACITY = 0.15  # of an area in a model's color

# Values of the light theme, for figures outside the page.
LIGHT = {"paper": "#fbfaf8", "ink": "#1d1c1a", "quiet": "#68645e", "line": "#e7e3dc"}
LIGHT |= {"minus": "#0b6e99", "words": "#a9441a"}
LIGHT_MODELS = ("#0b6e99", "#a8500a", "#1f7a3c", "#8220c4", "#c4255f", "#02564b")
LIGHT_MODELS += ("#6b5a00", "#1b2fa3", "#5e3c10", "#5a1650", "#7d1d1d", "#1c3d0a")
LIGHT |= {f"model-{i}": color for i, color in enumerate(LIGHT_MODELS, 1)}

SOLID, DASHED, DOTTED, MIXED = "solid", "9px,4px", "3px,3px", "9px,3px,2px,3px"
DASHES = (SOLID, MIXED, DASHED, DOTTED, DOTTED, MIXED, SOLID, DASHED, DOTTED, MIXED, DASHED, SOLID)
SPARSE_DOTS = "1px,4px"

# Checkpoints with a fixed line style.
FIXED_STYLES = ("rnn", "gru", "lstm", "minigpt", "best", "rnn-layernorm", "lstm-layernorm", "rnn-stateful", "rnn-lab")
FIXED_STYLES += ("rnn-seq256", "rnn-seq512")


class Stroke(NamedTuple):
    """The line style of a model."""

    color: str
    dash: str


def strokes(names: Sequence[str]) -> dict[str, Stroke]:
    """Return a line style per checkpoint, distinct for up to twelve."""
    index_of = {name: FIXED_STYLES.index(name) for name in names if name in FIXED_STYLES}
    free = sorted(set(range(len(DASHES))) - set(index_of.values())) or range(len(DASHES))
    others = [name for name in names if name not in FIXED_STYLES]
    index_of |= dict(zip(others, cycle(free), strict=False))
    return {name: Stroke(MODELS[index_of[name]], DASHES[index_of[name]]) for name in names}


def mixed(color: str, share: float, other: str = PAPER) -> str:
    """Mix two colors; returned as arguments of CSS color-mix."""
    return f"{color} {100 * share:g}%, {other}"


def in_light_colors(figure: go.Figure) -> go.Figure:
    """Replace color names by their values on a light background."""

    def value(found: re.Match[str]) -> str:
        name, share, other = found.groups()
        if other is None:
            return LIGHT[name]
        pairs = ([int(LIGHT[mixed_name][i : i + 2], 16) for mixed_name in (name, other)] for i in (1, 3, 5))
        return "#" + "".join(f"{round(b + (a - b) * float(share) / 100):02x}" for a, b in pairs)

    variable = rf"var\(--cr-({'|'.join(LIGHT)})\)"
    return go.Figure(json.loads(re.sub(rf"{variable}(?: ([\d.]+)%, {variable})?", value, figure.to_json() or "")))
