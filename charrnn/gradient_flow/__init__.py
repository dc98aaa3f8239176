"""How far back the gradient reaches, and why: the curve itself, and the knob that scales the recurrent weights."""

from charrnn.gradient_flow.curve import GradientFlow, first_crossing, gradient_flow, gradient_norms
from charrnn.gradient_flow.knob import KNOB, scaled

__all__ = ["KNOB", "GradientFlow", "first_crossing", "gradient_flow", "gradient_norms", "scaled"]
