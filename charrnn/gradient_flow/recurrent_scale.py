"""Copy of a model with its recurrent weights scaled by a factor."""

import copy
import math

import torch

from charrnn.minigpt import MiniGPT
from charrnn.model import CharRNN
from charrnn.registry import Network

SCALE_RANGE = (0.5, 1.6)  # range of the factor on the page


def scale_recurrent(model: Network, g: float) -> CharRNN:
    """
    Return a copy of the model with W_hh · g, for every gate.

    Unchanged: the bias b, W_ih, embedding, head, and the gain and shift of layer norm (which rescales W_ih x + g W_hh
    h + b to unit variance). Raises ValueError for a model without W_hh, and unless g is a positive number.
    """
    if isinstance(model, MiniGPT):
        raise ValueError("MiniGPT has no recurrent weights: choose an RNN, GRU or LSTM")
    if not (math.isfinite(g) and g > 0):
        raise ValueError(f"the recurrent scale is {g}: give a positive number, such as {SCALE_RANGE[0]}")
    scaled = copy.deepcopy(model)
    with torch.no_grad():
        scaled.cell.W_hh.weight.mul_(g)
    return scaled
