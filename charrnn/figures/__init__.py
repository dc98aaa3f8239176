"""
Plotly figures from records of numpy arrays.

Pure functions. Colors are CSS custom properties of the page; curves are named in a legend or at their ends. Figures
have no title or background.
"""

from charrnn.figures.context_use import MemoryCurve, memory_figure, memory_words
from charrnn.figures.gradient_flow import FLOOR, Curve, context_of, gradient_flow_figure, gradient_flow_words
from charrnn.figures.neurons import saturation_figure, saturation_words, unit_histogram, unit_histogram_words
from charrnn.figures.over_training import (
    NormRun,
    grad_norms_figure,
    grad_norms_words,
    steps_figure,
    steps_words,
)
from charrnn.figures.palette import BLUE, ORANGE, Stroke, in_light_colours, strokes
from charrnn.figures.recurrent_scale import (
    Cloud,
    Turned,
    eigenvalue_figure,
    eigenvalue_words,
    product_norms_figure,
    product_norms_words,
)
from charrnn.figures.step_profile import (
    against_length_figure,
    against_length_words,
    profile_figure,
    profile_height,
    profile_words,
)
from charrnn.figures.surprisal_difference import delta_bits_figure, delta_bits_words
from charrnn.figures.training_curves import PARTS, SPANS, UNITS, Run, training_curves_figure, training_curves_words
