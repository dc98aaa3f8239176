"""Every network the lab knows, by its config: how a checkpoint or a recipe becomes a model."""

from collections.abc import Mapping
from typing import Any

from charrnn.cells import CELLS
from charrnn.minigpt import MiniGPT
from charrnn.model import CharRNN

Network = CharRNN | MiniGPT
KINDS = (*CELLS, "minigpt")
LIMITS = {"hidden_dim": (1, 4096), "layers": (1, 64), "heads": (1, 64), "context": (2, 65536)}


def build(config: Mapping[str, Any], vocab_size: int, dropout: float = 0.0) -> Network:
    """
    The model of this form, its weights whatever torch.nn draws.

    config: `cell`, `hidden_dim`; of a recurrent cell `layer_norm`, of MiniGPT `layers`, `heads`, `context`. Raises
    ValueError for a config that cannot be.
    """
    if "hidden_dim" not in config:
        raise ValueError("there is no hidden_dim: give the number of units")
    sizes = {key: value for key, value in config.items() if key in LIMITS}
    for key, value in sizes.items():
        low, high = LIMITS[key]
        if type(value) is not int or not low <= value <= high:
            raise ValueError(f"{key} is {value!r}: give a whole number, {low} to {high}")
    cell, layer_norm = config.get("cell"), config.get("layer_norm", False)
    if type(layer_norm) is not bool:
        raise ValueError(f"layer_norm is {layer_norm!r}: give true or false")
    if cell == "minigpt":
        return MiniGPT(vocab_size, **sizes, dropout=dropout)
    if cell not in CELLS or sizes.keys() - {"hidden_dim"}:
        raise ValueError(f"this version knows no network {dict(config)}: the cell is one of {', '.join(KINDS)}")
    return CharRNN(vocab_size, **sizes, cell=cell, layer_norm=layer_norm, dropout=dropout)
