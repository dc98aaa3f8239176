"""
Hand-written backpropagation through time for whole sequences.

The equations of `cells.py`, arranged for speed: embedding × W_ih is folded into a table with one row per character,
and the rest runs step by step while its operands are in the CPU cache, weight gradients included. Werbos 1990.

`vanilla.py`, `lstm.py` and `gru.py` hold what differs between cells, as four functions: `rows` adds the bias to the
input table, `parts` names the sums of a step, `step` computes the next state from them, and `step_back` propagates
the gradient of that state to the sums. `unroll.py` loops over the steps, `autograd.py` wraps it for autograd.
"""

from charrnn.bptt.autograd import through_time
from charrnn.bptt.unroll import BackwardPass
