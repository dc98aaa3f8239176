"""
Hand-written character-level recurrent networks: training, sampling, analysis.

    from charrnn import CharRNN, load, generate, SamplingSettings

Each name is imported from its module when it is first used. docs/architecture.md describes the folders.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from charrnn.checkpoint import Checkpoint, CheckpointError, load, save
    from charrnn.clamps import Clamp
    from charrnn.minigpt import MiniGPT
    from charrnn.model import CharRNN
    from charrnn.sampling import SamplingSettings, UniformStream, generate, sample
    from charrnn.vocab import Vocab

__version__ = "0.1.0"

__all__ = [
    "CharRNN",
    "Checkpoint",
    "CheckpointError",
    "Clamp",
    "MiniGPT",
    "SamplingSettings",
    "UniformStream",
    "Vocab",
    "generate",
    "load",
    "sample",
    "save",
]

_MODULES = {
    "CharRNN": "model",
    "Checkpoint": "checkpoint",
    "CheckpointError": "checkpoint",
    "Clamp": "clamps",
    "MiniGPT": "minigpt",
    "SamplingSettings": "sampling",
    "UniformStream": "sampling",
    "Vocab": "vocab",
    "generate": "sampling",
    "load": "checkpoint",
    "sample": "sampling",
    "save": "checkpoint",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
