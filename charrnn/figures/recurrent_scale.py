"""Products of Jacobians and eigenvalues for scaled recurrent weights."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go

from charrnn.figures.axes import LINE_HEIGHT, NARROW, add_band, axis, frame, label_style, note
from charrnn.figures.gradient_norms import FLOOR, MARGIN
from charrnn.figures.palette import INK, LINE, SPARSE_DOTS
from charrnn.gradient_flow import GradientFlow, ProductNorms

HEIGHT = 340  # pixels
CLIP = (1e-100, 1e100)  # values beyond are far outside the figure
HEADROOM = 2.0  # decades above the measurements in which bounds are drawn
CLOUD_MARGIN = {"l": 44, "r": 14, "t": 46, "b": 44}


@dataclass(frozen=True)
class ScaledCurves:
    """Measurements at one recurrent scale, with name and color."""

    title: str
    color: str
    norms: ProductNorms
    flow: GradientFlow


# ------------------------------------------------------------------------------------------------ product of steps


def product_norms_figure(scaled: Sequence[ScaledCurves], width: int = 900) -> go.Figure:
    """
    Draw σ_max of the product of k step Jacobians by k.

    Median and 10–90 % for each scale; thin: the bound (σ_max W_hh)^k, if any; dotted: the loss gradient.
    """
    figure = go.Figure()
    for curves in scaled:
        _band(figure, curves)
    for curves in scaled:
        if curves.norms.bound is not None:
            _line(figure, curves.norms.lags, curves.norms.bound, f"{curves.title}, bound", color=curves.color, width=1)
        _line(
            figure,
            curves.flow.lags,
            curves.flow.median,
            f"{curves.title}, gradient",
            color=curves.color,
            width=1.4,
            dash=SPARSE_DOTS,
        )
        _line(figure, curves.norms.lags, curves.norms.median, curves.title, color=curves.color, width=2.6)
    max_lag = max((int(curves.flow.lags[-1]) for curves in scaled), default=128)
    across = axis("steps in the product, k", range=[0, max_lag], dtick=32 if width < NARROW else 16, showgrid=False)
    up = axis("largest singular value", type="log", range=_decades(scaled), dtick=2, exponentformat="power")
    frame(figure, MARGIN, legend_y=1, xaxis=across, yaxis=up, height=HEIGHT)
    return figure


def describe_product_norms(scaled: Sequence[ScaledCurves]) -> str:
    """Describe each scale in a sentence."""
    sentences = []
    for curves in scaled:
        norms, k = curves.norms, int(curves.norms.lags[-1])
        sentence = f"{curves.title}: {k} steps stretch a vector by {_short(norms.median[-1])} at most"
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
    values = np.concatenate([[1.0], *(part for curves in scaled for part in (curves.norms.median, curves.norms.high))])
    visible = values[values >= FLOOR]
    bounded = any(curves.norms.bound is not None for curves in scaled)
    return [2 * math.floor(math.log10(visible.min()) / 2), math.log10(visible.max()) + (HEADROOM if bounded else 0.4)]


def _line(figure: go.Figure, lags: np.ndarray, values: np.ndarray, name: str, **style: Any) -> None:
    shown = np.where(values > 0, values.clip(*CLIP), np.nan)
    hover = name + ", k = %{x}: %{y:.3g}<extra></extra>"
    figure.add_scatter(x=lags, y=shown, mode="lines", line=style, name=name, hovertemplate=hover)


def _band(figure: go.Figure, curves: ScaledCurves) -> None:
    low, high = np.clip([curves.norms.low, curves.norms.high], *CLIP)
    add_band(figure, curves.norms.lags, low, high, curves.color)


# ------------------------------------------------------------------------------------------------ eigenvalues


@dataclass(frozen=True)
class Cloud:
    """The eigenvalues (H,) of one matrix, with name and color."""

    title: str
    color: str
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
            marker={"color": cloud.color, "size": 5, "opacity": 0.8, "symbol": "circle" if i == 0 else "diamond-open"},
            hovertemplate=cloud.title + ": %{x:.3f} + %{y:.3f} i<extra></extra>",
        )
        sign, radius = "●" if i == 0 else "◇", abs(cloud.eigenvalues).max()
        position = {"xref": "paper", "yref": "paper", "yshift": LINE_HEIGHT * (len(clouds) - 1 - i)}
        note(figure, f"{sign} {cloud.title}: |λ| ≤ {radius:.2f}", 0, 1, "bottom left", cloud.color, **position)
    figure.add_shape(**circle)
    name = {"x": math.sqrt(0.5), "y": -math.sqrt(0.5), "text": "|λ| = 1", "xanchor": "right", "yanchor": "top"}
    name |= {"ax": 0.98 * reach, "ay": -0.86 * reach, "axref": "x", "ayref": "y"}
    arrow = {"showarrow": True, "arrowhead": 0, "arrowwidth": 1, "arrowcolor": INK}
    figure.add_annotation(**name, **arrow, **label_style(INK))
    across = axis("real part of λ", range=[-reach, reach], showgrid=False, constrain="domain", nticks=6)
    up = axis("imaginary part", range=[-reach, reach], showgrid=False, scaleanchor="x", constrain="domain", nticks=6)
    for plane_axis in (across, up):
        plane_axis |= {"zeroline": True, "zerolinecolor": LINE}
    frame(figure, CLOUD_MARGIN, xaxis=across, yaxis=up, height=HEIGHT)
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
