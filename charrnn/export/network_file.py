"""A network as one file for the page: its weights, and its recorded step as metadata."""

import json
from typing import Any

import torch
from safetensors.torch import save

from charrnn.export.checked import graph_json

MAX_BYTES = 16 << 20  # of the weights; a page loads larger networks too slowly


class TooLargeError(ValueError):
    """A network with more weights than a page should load."""


def pack_network(network: Any, **more: Any) -> bytes:
    """
    Return a safetensors file of the weights, with the graph of the step as JSON in its metadata.

    Weights that are exact in half precision are stored so. more: further JSON-safe metadata, by name. Raises
    RecordingError if the step cannot be recorded, and TooLargeError.
    """
    weights = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    size = sum(tensor.numel() * tensor.element_size() for tensor in weights.values())
    if size > MAX_BYTES:
        raise TooLargeError(f"its weights take {size / 2**20:.0f} MB, more than {MAX_BYTES >> 20}")
    packed = {name: _smallest(tensor) for name, tensor in weights.items()}
    metadata = {"graph": graph_json(network), **more}
    return save(packed, {name: json.dumps(value, separators=(",", ":")) for name, value in metadata.items()})


def _smallest(tensor: torch.Tensor) -> torch.Tensor:
    """Return the tensor in half precision if that loses nothing."""
    half = tensor.half()
    return half if torch.equal(half.to(tensor.dtype), tensor) else tensor
