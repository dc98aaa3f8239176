"""What a network's own code computes for one character, line by line: its source, read, and its values, watched."""

from charrnn.tracing.step_trace import Block, layers_of, read_character
from charrnn.tracing.tracer import Line, Value, watch

__all__ = ["Block", "Line", "Value", "layers_of", "read_character", "watch"]
