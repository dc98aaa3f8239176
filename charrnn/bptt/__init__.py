"""
The cells over a whole sequence, with backpropagation through time written by hand.

The same equations as `cells.py`, arranged for speed: embedding × W_ih is folded into a table with one row for each
character, and everything else happens step by step, while what a step needs is still in the processor's cache, the
gradients of the weights too. Werbos 1990.
"""

from charrnn.bptt.through_time import WalkBack, through_time

__all__ = ["WalkBack", "through_time"]
