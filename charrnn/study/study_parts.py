"""The parts of the study: the function, row key and settings of each."""

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from charrnn.study import model_experiments, training_experiments


@dataclass(frozen=True)
class Part:
    """A part of the study: its function, the key of its rows, its settings."""

    measure: Callable[[argparse.Namespace, str], Iterator[dict[str, Any]]]
    key: tuple[str, ...]
    settings: tuple[str, ...]
    help: str


RUN = ("steps", "batch", "seq_len", "hidden_dim", "every")
PARTS = {
    "ngram": Part(model_experiments.ngram, ("order",), (), "Kneser-Ney n-grams"),
    "sampling": Part(
        model_experiments.sampling,
        ("model", "temperature", "top_k", "top_p"),
        ("texts", "chars"),
        "quality of sampled text, by temperature and filter",
    ),
    "clipping": Part(
        training_experiments.clipping,
        ("learning_rate", "max_grad_norm", "seed"),
        RUN,
        "training with clipping and without",
    ),
    "relu": Part(
        training_experiments.relu,
        ("activation", "learning_rate", "max_grad_norm", "seed"),
        RUN,
        "training with tanh and ReLU",
    ),
    "no_grad": Part(
        training_experiments.no_grad, ("chars",), ("hidden_dim", "rounds"), "writing with no_grad and without"
    ),
    "recurrent_scale": Part(
        model_experiments.recurrent_scale,
        ("model", "g"),
        ("positions",),
        "gradients and Lyapunov exponent with W_hh × g",
    ),
}
