"""The knob: the same network with its recurrent weights scaled."""

import copy
import math

import torch

from charrnn.minigpt import MiniGPT
from charrnn.model import CharRNN
from charrnn.registry import Network

KNOB = (0.5, 1.6)  # how far the page turns it


def scaled(model: Network, g: float) -> CharRNN:
    """
    A copy of the model with W_hh × g: all of its rows, so of a gated cell the recurrent weights of every gate.

    Nothing else is: not the bias b of that layer, not W_ih, embedding and head, not gain and shift of layer norm (which
    brings the sum W_ih x + g W_hh h + b back to unit variance). The model stays as it is. Raises ValueError for a model
    that has no W_hh, and for a g that is not a positive number.
    """
    if isinstance(model, MiniGPT):
        raise ValueError("MiniGPT has no recurrent weights W_hh to scale: choose a recurrent network")
    if not (math.isfinite(g) and g > 0):
        raise ValueError(f"the knob is {g}: give a positive number, such as {KNOB[0]} to {KNOB[1]}")
    turned = copy.deepcopy(model)
    with torch.no_grad():
        turned.cell.W_hh.weight.mul_(g)
    return turned
