"""Upper bounds of a run's saved size, computed from its recipe."""

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
    """Return the largest possible `Training.state()`, on the meta device."""
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
    """Return the intermediate steps whose weights are saved."""
    return [step for step in SAVED_STEPS if recipe.keep_steps and step < recipe.steps]


def longest_history(recipe: Recipe) -> list[Metrics]:
    """Return the longest possible training curve."""
    points = recipe.steps // measured_every(recipe) + len(SAVED_STEPS) + 2
    return [Metrics(10**7 + point, WIDEST, WIDEST, WIDEST, WIDEST, WIDEST) for point in range(points)]


def longest_text(corpus: Corpus, characters: int) -> str:
    """Return a text of `characters` characters with the largest encoding."""
    return max(corpus.vocab.characters, key=lambda character: len(json.dumps(character))) * characters
