"""
Character-level recurrent networks by hand: trained, written with, watched.

Import the modules one by one (`from charrnn.model import CharRNN`). docs/architecture.md describes the folders.
"""

__version__ = "0.1.0"
