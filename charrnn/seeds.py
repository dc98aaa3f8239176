"""Seeds: the range that torch distinguishes, and a seeded generator."""

from typing import Any

import torch

from charrnn.ranges import Range

# The Mersenne Twister of a torch.Generator takes only the low 32 bits: 7 and 7 + 2**32 would give one stream.
STREAMS = 2**32
SEEDS = Range(0, STREAMS - 1, whole=True)


def seeded(seed: Any, device: torch.device | str = "cpu") -> torch.Generator:
    """Return a generator with this seed. Raises ValueError for a seed outside SEEDS."""
    return torch.Generator(device).manual_seed(SEEDS.require("seed", seed))
