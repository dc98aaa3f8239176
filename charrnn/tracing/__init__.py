"""Trace a network's own source line by line while it reads a character."""

from charrnn.tracing.step_trace import Block, layers_of, read_character
from charrnn.tracing.tracer import Line, Value, trace_calls
