"""One decode step of a network as a graph: recorded from torch, run in numpy."""

from charrnn.export.checked_recording import (
    decoder_of,
    exact_copy,
    graph_decoder,
    graph_json,
    module_state,
    not_recorded,
    recorded_step,
    slow_generation_notices,
    state_arrays,
)
from charrnn.export.decoder import GraphDecoder, GraphState
from charrnn.export.graph import Graph, Node
from charrnn.export.module_decoder import ModuleDecoder, ModuleState
from charrnn.export.recorder import RecordingError, cache_lengths, record, size_by_length

__all__ = [
    "Graph",
    "GraphDecoder",
    "GraphState",
    "ModuleDecoder",
    "ModuleState",
    "Node",
    "RecordingError",
    "cache_lengths",
    "decoder_of",
    "exact_copy",
    "graph_decoder",
    "graph_json",
    "module_state",
    "not_recorded",
    "record",
    "recorded_step",
    "size_by_length",
    "slow_generation_notices",
    "state_arrays",
]
