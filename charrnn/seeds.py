"""Seeds: the range that torch tells apart, and a generator of one."""

from typing import Any

import torch

from charrnn.ranges import Range

# The Mersenne Twister of a torch.Generator takes the low 32 bits only: 7 and 7 + 2**32 would be one stream.
STREAMS = 2**32
SEEDS = Range(0, STREAMS - 1, whole=True)


def seeded(seed: Any, device: torch.device | str = "cpu") -> torch.Generator:
    """A generator of this seed. Raises ValueError for a seed that is not in SEEDS."""
    return torch.Generator(device).manual_seed(SEEDS.require("seed", seed))
