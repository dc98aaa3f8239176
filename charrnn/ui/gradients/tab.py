"""The tab Gradients: norms, scaled weights, saliency, context use, training."""

from functools import partial

from charrnn.ui.gradients.context_use import context_use_curves
from charrnn.ui.gradients.gradient_norms import curves
from charrnn.ui.gradients.over_training import clipping, saved_steps
from charrnn.ui.gradients.recurrent_scale import scaled_variants
from charrnn.ui.gradients.saliency import saliencies
from charrnn.ui.server.checkpoint_store import Store
from charrnn.ui.server.streaming import Part


def parts(store: Store) -> list[Part]:
    """Return the views of the tab."""
    plot = "components/plot/plot"
    return [
        Part("cr-where", "gradients/saliency", partial(saliencies, store), label="Which letters mattered"),
        Part("cr-flow", plot, partial(curves, store), "gradients/gradient_norms", label="How far learning reaches"),
        Part("cr-knob", "gradients/recurrent_scale", partial(scaled_variants, store), label="Turn the knob"),
        Part("cr-memory", plot, partial(context_use_curves, store), "gradients/context_use", label="Context in use"),
        Part("cr-over-training", plot, partial(saved_steps, store), "gradients/over_training", label="During training"),
        Part("cr-clipping", plot, lambda query, _: clipping(query), "gradients/clipping", label="Clipping"),
    ]
