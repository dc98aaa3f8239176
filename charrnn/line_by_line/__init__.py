"""What a network's own code computes for one character, line by line: its source, read, and its values, watched."""

from charrnn.line_by_line.character import Block, layers_of, read_character
from charrnn.line_by_line.watch import Line, Value, watch

__all__ = ["Block", "Line", "Value", "layers_of", "read_character", "watch"]
