"""Gradient flow through time: norms per lag, Jacobians, recurrent scale."""

from charrnn.gradient_flow.gradient_norms import (
    GradientFlow,
    first_crossing,
    flow_from_record,
    flow_record,
    gradient_flow,
    gradient_norms,
    tail_slope,
)
from charrnn.gradient_flow.jacobian_products import ProductNorms, iter_product_norms, product_norms
from charrnn.gradient_flow.lyapunov import Lyapunov, lyapunov
from charrnn.gradient_flow.recurrent_scale import KNOB, scale_recurrent
from charrnn.gradient_flow.saliency import character_distance, character_heat, connectivity
from charrnn.gradient_flow.spectrum import Spectrum, spectra
from charrnn.gradient_flow.step_jacobian import step_jacobians
