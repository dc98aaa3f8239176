"""
The cells over a whole sequence, with backpropagation through time written by hand.

The same equations as `cells.py`, arranged for speed: embedding × W_ih is folded into a table with one row for each
character, and everything else happens step by step, while what a step needs is still in the processor's cache, the
gradients of the weights too. Werbos 1990.

What differs from cell to cell is in `vanilla.py`, `lstm.py` and `gru.py`, each with the same four functions: `rows`
says what a character adds to the sums of a step, `parts` names these sums, `step` makes the next state of them and
`step_back` carries the gradient of that state back to the sums. `walk.py` goes from step to step, `through_time.py`
hands the walk to autograd.
"""

from charrnn.bptt.autograd import through_time
from charrnn.bptt.unroll import WalkBack

__all__ = ["WalkBack", "through_time"]
