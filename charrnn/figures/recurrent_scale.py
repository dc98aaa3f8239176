"""Products of Jacobians and eigenvalues for scaled recurrent weights."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go

from charrnn.figures.axes import LINE_HEIGHT, NARROW, add_band, axis, frame, label_style, note
from charrnn.figures.gradient_flow import FLOOR, MARGIN
from charrnn.figures.palette import GHOST, INK, LINE
from charrnn.gradient_flow import GradientFlow, ProductNorms

HEIGHT = 380  # pixels
DRAWN = (1e-100, 1e100)  # values beyond are far outside the figure
ROOM = 2.0  # decades that a bound is followed above everything else
CLOUD_MARGIN = {"l": 44, "r": 14, "t": 46, "b": 44}


@dataclass(frozen=True)
class ScaledCurves:
    """Measurements at one recurrent scale, with name and color."""

    title: str
    colour: str
    norms: ProductNorms
    flow: GradientFlow


# ------------------------------------------------------------------------------------------------ product of steps


def product_norms_figure(scaled: Sequence[ScaledCurves], width: int = 900) -> go.Figure:
    """
    Draw σ_max of the product of k step Jacobians by k.

    Median and 10–90 % for each scale; thin: the bound (σ_max W_hh)^k, if any; dotted: the loss gradient.
    """
    figure = go.Figure()
    for one in scaled:
        _band(figure, one)
    for one in scaled:
        if one.norms.bound is not None:
            _line(figure, one.norms.lags, one.norms.bound, f"{one.title}, bound", color=one.colour, width=1)
        _line(figure, one.flow.lags, one.flow.median, f"{one.title}, gradient", color=one.colour, width=1.4, dash=GHOST)
        _line(figure, one.norms.lags, one.norms.median, one.title, color=one.colour, width=2.6)
    most = max((int(one.flow.lags[-1]) for one in scaled), default=128)
    across = axis("steps in the product, k", range=[0, most], dtick=32 if width < NARROW else 16, showgrid=False)
    up = axis("largest singular value", type="log", range=_decades(scaled), dtick=2, exponentformat="power")
    frame(figure, MARGIN, legend_y=1, xaxis=across, yaxis=up, height=HEIGHT)
    return figure


def describe_product_norms(scaled: Sequence[ScaledCurves]) -> str:
    """Describe each scale in a sentence."""
    sentences = []
    for one in scaled:
        norms, k = one.norms, int(one.norms.lags[-1])
        sentence = f"{one.title}: {k} steps stretch a vector by {_short(norms.median[-1])} at most"
        if norms.bound is not None:
            sentence += (
                f", one step by {_short(norms.median[0])}; (σ_max W_hh)^{k} would allow {_short(norms.bound[-1])}"
            )
        sentences.append(sentence + ".")
    return " ".join(sentences)


def _short(value: float) -> str:
    return f"{value:.2f}" if 0.01 <= value < 1000 else f"{value:.0e}"


def _decades(scaled: Sequence[ScaledCurves]) -> list[float]:
    """Return the log10 range of the measurements, extended a little for bounds."""
    values = np.concatenate([[1.0], *(part for one in scaled for part in (one.norms.median, one.norms.high))])
    seen = values[values >= FLOOR]
    bounded = any(one.norms.bound is not None for one in scaled)
    return [2 * math.floor(math.log10(seen.min()) / 2), math.log10(seen.max()) + (ROOM if bounded else 0.4)]


def _line(figure: go.Figure, lags: np.ndarray, values: np.ndarray, name: str, **style: Any) -> None:
    shown = np.where(values > 0, values.clip(*DRAWN), np.nan)
    hover = name + ", k = %{x}: %{y:.3g}<extra></extra>"
    figure.add_scatter(x=lags, y=shown, mode="lines", line=style, name=name, hovertemplate=hover)


def _band(figure: go.Figure, one: ScaledCurves) -> None:
    low, high = np.clip([one.norms.low, one.norms.high], *DRAWN)
    add_band(figure, one.norms.lags, low, high, one.colour)


# ------------------------------------------------------------------------------------------------ eigenvalues


@dataclass(frozen=True)
class Cloud:
    """The eigenvalues (H,) of one matrix, with name and color."""

    title: str
    colour: str
    eigenvalues: np.ndarray


def eigenvalue_figure(clouds: Sequence[Cloud]) -> go.Figure:
    """Draw eigenvalues in the complex plane with the unit circle."""
    figure = go.Figure()
    reach = 1.06 * max(1.1, *(abs(cloud.eigenvalues).max() for cloud in clouds))
    circle = {"type": "circle", "x0": -1, "x1": 1, "y0": -1, "y1": 1, "line": {"color": INK, "width": 1.6}}
    for i, cloud in enumerate(clouds):
        figure.add_scatter(
            x=np.real(cloud.eigenvalues),
            y=np.imag(cloud.eigenvalues),
            mode="markers",
            name=cloud.title,
            marker={"color": cloud.colour, "size": 5, "opacity": 0.8, "symbol": "circle" if i == 0 else "diamond-open"},
            hovertemplate=cloud.title + ": %{x:.3f} + %{y:.3f} i<extra></extra>",
        )
        sign, radius = "●" if i == 0 else "◇", abs(cloud.eigenvalues).max()
        at = {"xref": "paper", "yref": "paper", "yshift": LINE_HEIGHT * (len(clouds) - 1 - i)}
        note(figure, f"{sign} {cloud.title}  ρ {radius:.2f}", 0, 1, "bottom left", cloud.colour, **at)
    figure.add_shape(**circle)
    name = {"x": math.sqrt(0.5), "y": -math.sqrt(0.5), "text": "|λ| = 1", "xanchor": "right", "yanchor": "top"}
    name |= {"ax": 0.98 * reach, "ay": -0.86 * reach, "axref": "x", "ayref": "y"}
    arrow = {"showarrow": True, "arrowhead": 0, "arrowwidth": 1, "arrowcolor": INK}
    figure.add_annotation(**name, **arrow, **label_style(INK))
    across = axis("real part of λ", range=[-reach, reach], showgrid=False, constrain="domain", nticks=6)
    up = axis("imaginary part", range=[-reach, reach], showgrid=False, scaleanchor="x", constrain="domain", nticks=6)
    for each in (across, up):
        each |= {"zeroline": True, "zerolinecolor": LINE}
    frame(figure, CLOUD_MARGIN, xaxis=across, yaxis=up, height=HEIGHT + 20)
    return figure


def describe_eigenvalues(clouds: Sequence[Cloud]) -> str:
    """Describe each set of eigenvalues in a sentence."""
    sentences = []
    for cloud in clouds:
        outside = int((abs(cloud.eigenvalues) > 1).sum())
        largest = abs(cloud.eigenvalues).max()
        sentences.append(
            f"{cloud.title}: the largest of {len(cloud.eigenvalues)} eigenvalues has modulus {largest:.2f}; "
            f"{outside} lie outside the unit circle."
        )
    return " ".join(sentences)
