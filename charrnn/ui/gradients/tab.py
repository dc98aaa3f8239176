"""The tab Gradients: norms, scaled weights, saliency, context use, training."""

from functools import partial

from charrnn.ui.gradients.context_use import context_use_curves
from charrnn.ui.gradients.gradient_norms import curves
from charrnn.ui.gradients.over_training import clipping, saved_steps
from charrnn.ui.gradients.recurrent_scale import scaled_variants
from charrnn.ui.gradients.saliency import saliencies
from charrnn.ui.server.checkpoint_store import Store
from charrnn.ui.server.streaming import add_part


def build(store: Store) -> None:
    """Lay out the views and register their analyses."""
    plot = "components/plot/plot"
    add_part("cr-flow", plot, partial(curves, store), "gradients/gradient_norms")
    add_part("cr-knob", "gradients/recurrent_scale", partial(scaled_variants, store))
    add_part("cr-where", "gradients/saliency", partial(saliencies, store))
    add_part("cr-memory", plot, partial(context_use_curves, store), "gradients/context_use")
    add_part("cr-over-training", plot, partial(saved_steps, store), "gradients/over_training")
    add_part("cr-clipping", plot, lambda query, _: clipping(query), "gradients/clipping")
