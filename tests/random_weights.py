"""Give a network reproducible random weights."""

from typing import Any

import torch


def randomize(model: Any, scale: float, seed: int | torch.Generator) -> Any:
    """Draw every parameter from a normal distribution of this scale; return the model."""
    rng = torch.Generator().manual_seed(seed) if isinstance(seed, int) else seed
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(scale * torch.randn(parameter.shape, generator=rng))
    return model
