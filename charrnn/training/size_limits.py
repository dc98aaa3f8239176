"""How large a run can become, from its recipe alone: the shapes of its state and the longest of what it says."""

import json
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor

from charrnn.corpus import Corpus
from charrnn.metrics import Metrics
from charrnn.training.recipes import Recipe
from charrnn.training.resume_checks import state_shapes
from charrnn.training.trainer import SAVED_STEPS, measured_every

WIDEST = 1.2345678901234567e-100  # no number between 0 and a million takes more characters
RNG_BYTES = 5056  # of torch's generator on a CPU


def largest_state(recipe: Recipe, corpus: Corpus) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """What `Training.state()` can grow to; the tensors are on the meta device and take no memory."""
    steps = saved_steps(recipe)
    shapes = state_shapes(recipe, len(corpus.vocab), steps, begun=True, carried=recipe.stateful)
    tensors = {
        name: torch.empty(RNG_BYTES, dtype=torch.uint8, device="meta")
        if shape is None
        else torch.empty(shape, dtype=torch.half if name.startswith("saved.") else torch.float, device="meta")
        for name, shape in shapes.items()
    }
    numbers = {"step": recipe.steps, "seconds": WIDEST, "grad_norm": WIDEST, "seed": 2**63}
    history = [asdict(point) for point in longest_history(recipe)]
    run = numbers | {"recipe": asdict(recipe), "data_sha256": corpus.sha256, "history": history}
    return tensors, run | {"losses": [WIDEST] * measured_every(recipe)}


def saved_steps(recipe: Recipe) -> list[int]:
    """The steps on the way whose weights a run keeps."""
    return [step for step in SAVED_STEPS if recipe.keep_steps and step < recipe.steps]


def longest_history(recipe: Recipe) -> list[Metrics]:
    """As many points as the curve of a run can have, each as long as it can be."""
    points = recipe.steps // measured_every(recipe) + len(SAVED_STEPS) + 2
    return [Metrics(10**7 + point, WIDEST, WIDEST, WIDEST, WIDEST, WIDEST) for point in range(points)]


def longest_text(corpus: Corpus, characters: int) -> str:
    """A text of so many characters that takes as much room as any."""
    return max(corpus.vocab.characters, key=lambda character: len(json.dumps(character))) * characters
