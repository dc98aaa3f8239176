"""Profiling of training steps, interleaved with reference implementations."""

from charrnn.profiling.baseline_training import PlainTraining, plain_training
from charrnn.profiling.interleaved_timing import (
    VOCAB_SIZE,
    interleave,
    machine,
    processor,
    resident_bytes,
    synthetic_corpus,
)
from charrnn.profiling.step_timer import PARTS, iter_rows, rows, time_vs_length
