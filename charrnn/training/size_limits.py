"""Upper bounds of a run's saved size, computed from its recipe."""

import math

from charrnn.training.recipes import Recipe
from charrnn.training.resume_state import state_shapes
from charrnn.training.trainer import SAVED_STEPS

RNG_BYTES = 5056  # of torch's generator on a CPU


def largest_bytes(recipe: Recipe, vocab_size: int) -> tuple[int, int]:
    """Return upper bounds in bytes: of `Training.state()`, and of the model."""
    steps = saved_steps(recipe)
    shapes = state_shapes(recipe, vocab_size, steps, begun=True, carried=recipe.stateful)
    sizes = {
        name: RNG_BYTES if shape is None else math.prod(shape) * (2 if name.startswith("saved.") else 4)
        for name, shape in shapes.items()
    }
    return sum(sizes.values()), sum(size for name, size in sizes.items() if name.startswith("model."))


def saved_steps(recipe: Recipe) -> list[int]:
    """Return the intermediate steps whose weights are saved."""
    return [step for step in SAVED_STEPS if recipe.keep_steps and step < recipe.steps]
