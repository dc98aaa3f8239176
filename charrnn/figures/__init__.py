"""
Plotly figures from records of numpy arrays.

Pure functions. Colors are CSS custom properties of the page; curves are named in a legend or at their ends. Figures
have no title or background.
"""

from charrnn.figures.context_use import ContextUseCurve, context_use_figure, context_use_sentences
from charrnn.figures.gradient_norms import (
    FLOOR,
    Curve,
    context_of,
    describe_gradient_flow,
    gradient_flow_figure,
    gradient_flow_sentences,
)
from charrnn.figures.neurons import describe_saturation, describe_unit_values, saturation_figure, unit_histogram
from charrnn.figures.over_training import (
    NormRun,
    describe_grad_norms,
    describe_steps,
    grad_norms_figure,
    steps_figure,
)
from charrnn.figures.palette import BLUE, ORANGE, Stroke, in_light_colors, strokes
from charrnn.figures.recurrent_scale import (
    Cloud,
    ScaledCurves,
    describe_eigenvalues,
    describe_product_norms,
    eigenvalue_figure,
    product_norms_figure,
)
from charrnn.figures.scoreboard import Score, describe_scores, scoreboard_figure
from charrnn.figures.sentences import Sentence, text_of
from charrnn.figures.step_profile import (
    describe_profile,
    describe_step_cost,
    profile_figure,
    step_cost_figure,
)
from charrnn.figures.surprisal_difference import delta_bits_figure, describe_delta_bits
from charrnn.figures.training_curves import PARTS, SPANS, UNITS, Run, training_curves_figure, training_curves_sentences

# Former names, for one release.
gradient_flow_words, in_light_colours = describe_gradient_flow, in_light_colors
