"""Architectures: build a model from the config of a checkpoint or a recipe."""

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


def build_model(config: Mapping[str, Any], vocab_size: int, dropout: float = 0.0, **cell_options: Any) -> Network:
    """
    Build an untrained model from its config, with torch.nn's initial weights.

    config: `cell`, `hidden_dim`; for a recurrent cell `layer_norm`, for MiniGPT `layers`, `heads`, `context`.
    cell_options: further dropout rates of a recurrent network. Raises ValueError for an invalid config.
    """
    cell, options = config.get("cell"), {key: value for key, value in config.items() if key != "cell"}
    if not isinstance(cell, str) or cell not in FORMS:
        raise ValueError(f"the cell is {cell!r}: give one of {', '.join(KINDS)}")
    if unknown := options.keys() - FORMS[cell]:
        raise ValueError(f"{cell} has no {', '.join(map(repr, sorted(unknown)))}: give {', '.join(FORMS[cell])}")
    if "hidden_dim" not in options:
        raise ValueError("hidden_dim is missing: give the number of units")
    for key in options.keys() & LIMITS.keys():
        if type(options[key]) is not int or options[key] not in LIMITS[key]:
            raise ValueError(f"{key} is {options[key]!r}: give {LIMITS[key]}")
    if type(options.get("layer_norm", False)) is not bool:
        raise ValueError(f"layer_norm is {options['layer_norm']!r}: give true or false")
    if cell == "minigpt":
        return MiniGPT(vocab_size, **options, dropout=dropout)
    return CharRNN(vocab_size, **options, cell=cell, dropout=dropout, **cell_options)


def build_on_meta(config: Mapping[str, Any], vocab_size: int) -> Network:
    """
    Build a model on the meta device: names and shapes of weights, no values.

    Raises ValueError like `build_model`.
    """
    with torch.device("meta"), _SkipInit():
        return build_model(config, vocab_size)


class _SkipInit(TorchFunctionMode):
    """Skip weight initialization: torch takes seconds to set it up on the meta device."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if getattr(func, "__module__", None) == "torch.nn.init":
            return kwargs["tensor"]
        return func(*args, **(kwargs or {}))
