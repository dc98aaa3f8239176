"""
The cells over a whole sequence, with backpropagation through time written by hand.

The same equations as `cells.py`, arranged for speed: embedding × W_ih is folded into a table with one row for each
character, the states live in one time-major buffer, only the recurrent product runs step by step, and each weight
gradient is one product over all T·B rows. Werbos 1990.
"""

from charrnn.bptt.through_time import WalkBack, through_time

__all__ = ["WalkBack", "through_time"]
