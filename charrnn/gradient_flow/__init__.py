"""Gradient flow through time: norms per lag, Jacobians, recurrent scale."""

from charrnn.gradient_flow.gradient_norms import (
    HALF,
    HORIZON,
    GradientFlow,
    first_crossing,
    flow_from_record,
    flow_record,
    gradient_flow,
    norms_by_lag,
    tail_slope,
)
from charrnn.gradient_flow.jacobian_products import ProductNorms, iter_product_norms, product_norms
from charrnn.gradient_flow.lyapunov import Lyapunov, lyapunov_exponents
from charrnn.gradient_flow.recurrent_scale import SCALE_RANGE, scale_recurrent
from charrnn.gradient_flow.recurrent_spectrum import Spectrum, spectra
from charrnn.gradient_flow.saliency import character_distance, character_saliency, input_saliency
from charrnn.gradient_flow.step_jacobian import step_jacobians
