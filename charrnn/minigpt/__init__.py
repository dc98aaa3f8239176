"""`MiniGPT`: the Transformer the lab compares with; its equations, the model, and how it writes."""

from charrnn.minigpt.equations import KVCache
from charrnn.minigpt.model import MiniGPT, initialise

__all__ = ["KVCache", "MiniGPT", "initialise"]
