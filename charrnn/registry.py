"""Every network the lab knows, by its config: how a checkpoint or a recipe becomes a model."""

from collections.abc import Mapping
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from charrnn.cells import CELLS
from charrnn.minigpt import MiniGPT
from charrnn.model import CharRNN
from charrnn.ranges import Range

Network = CharRNN | MiniGPT
FORMS = {
    **dict.fromkeys(CELLS, ("hidden_dim", "layer_norm")),
    "minigpt": ("hidden_dim", "layers", "heads", "context"),
}
KINDS = tuple(FORMS)
LIMITS = {
    "hidden_dim": Range(1, 4096, whole=True),
    "layers": Range(1, 64, whole=True),
    "heads": Range(1, 64, whole=True),
    "context": Range(2, 65536, whole=True),
}


def build(config: Mapping[str, Any], vocab_size: int, dropout: float = 0.0, **of_cell: Any) -> Network:
    """
    The model of this form, its weights whatever torch.nn draws.

    config: `cell`, `hidden_dim`; of a recurrent cell `layer_norm`, of MiniGPT `layers`, `heads`, `context`.
    of_cell: the other shares of dropout, where there is a cell. Raises ValueError for a config that cannot be.
    """
    cell, form = config.get("cell"), {key: value for key, value in config.items() if key != "cell"}
    if not isinstance(cell, str) or cell not in FORMS:
        raise ValueError(f"the cell is {cell!r}: give one of {', '.join(KINDS)}")
    if unknown := form.keys() - FORMS[cell]:
        raise ValueError(f"{cell} has no {', '.join(map(repr, sorted(unknown)))}: give {', '.join(FORMS[cell])}")
    if "hidden_dim" not in form:
        raise ValueError("there is no hidden_dim: give the number of units")
    for key in form.keys() & LIMITS.keys():
        if type(form[key]) is not int or form[key] not in LIMITS[key]:
            raise ValueError(f"{key} is {form[key]!r}: give {LIMITS[key]}")
    if type(form.get("layer_norm", False)) is not bool:
        raise ValueError(f"layer_norm is {form['layer_norm']!r}: give true or false")
    if cell == "minigpt":
        return MiniGPT(vocab_size, **form, dropout=dropout)
    return CharRNN(vocab_size, **form, cell=cell, dropout=dropout, **of_cell)


def blueprint(config: Mapping[str, Any], vocab_size: int) -> Network:
    """The model of this form with weights that take no memory and have no values: names and shapes. As `build`."""
    with torch.device("meta"), _WithoutDice():
        return build(config, vocab_size)


class _WithoutDice(TorchFunctionMode):
    """Drawing weights that have no values would be slow: the first time it takes torch seconds to prepare for it."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if getattr(func, "__module__", None) == "torch.nn.init":
            return kwargs["tensor"]
        return func(*args, **(kwargs or {}))
