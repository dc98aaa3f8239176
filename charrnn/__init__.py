"""
Character-level recurrent networks by hand: trained, written with, watched.

The rooms are imported one by one (`from charrnn.model import CharRNN`). README.md lists them; CONTRIBUTING.md shows
which may know which.
"""

__version__ = "0.1.0"
