"""A network as one file for the page: weights, and the recorded step."""

import json
from typing import Any

import torch
from safetensors.torch import save

from charrnn.export.checked_recording import graph_json

MAX_BYTES = 16 << 20  # of the weights; a page loads larger networks too slowly


class TooLargeError(ValueError):
    """A network's weights are too large for a page to load."""


def pack_network(network: Any, **more: Any) -> bytes:
    """
    Return a safetensors file of the weights, the step's graph in its metadata.

    Tensors that are exact in half precision are stored in it. more: further JSON values beside `graph`, by name. Raises
    RecordingError if the step cannot be recorded, TooLargeError for weights above MAX_BYTES.
    """
    weights = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    size = sum(tensor.numel() * tensor.element_size() for tensor in weights.values())
    if size > MAX_BYTES:
        raise TooLargeError(f"its weights take {size / 2**20:.0f} MB, more than {MAX_BYTES >> 20}")
    packed = {name: _smallest(tensor) for name, tensor in weights.items()}
    described = {"graph": graph_json(network), **more}
    # One entry, since their order in the file would be random.
    return save(packed, {"network": json.dumps(described, separators=(",", ":"))})


def _smallest(tensor: torch.Tensor) -> torch.Tensor:
    """Return the tensor in half precision if that loses nothing."""
    half = tensor.half()
    return half if torch.equal(half.to(tensor.dtype), tensor) else tensor
