"""`MiniGPT`, the Transformer for comparison: equations, model and decoder."""

from charrnn.minigpt.equations import KVCache
from charrnn.minigpt.model import MiniGPT, initialise
