"""
Hand-written backpropagation through time for whole sequences.

The equations of `cells.py`, arranged for speed: embedding × W_ih is folded into a table with one row per character,
and the rest runs step by step while its operands are in the CPU cache, weight gradients included. Werbos 1990.

`vanilla.py`, `lstm.py` and `gru.py` define four functions per cell. `add_bias` adds the bias to the input table,
`split` names the preactivations of a step, and `step` computes the next state from them. `step_back` writes the
gradients of the preactivations into `d_pre` and returns the gradient of the previous state, without the path through
W_hh; it adds `d_h_above`, the gradient that the previous h receives from the layers above. `unroll.py` loops over the
steps, `autograd.py` wraps it for autograd.
"""

from charrnn.bptt.autograd import through_time
from charrnn.bptt.unroll import BackwardPass
