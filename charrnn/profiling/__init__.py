"""Profiling of training steps, interleaved with reference implementations."""

from charrnn.profiling.baseline_training import PlainTraining, plain_training
from charrnn.profiling.interleaved_timing import (
    VOCAB_SIZE,
    machine,
    processor,
    resident_bytes,
    synthetic_corpus,
    take_turns,
)
from charrnn.profiling.step_timer import PARTS, against_T, iter_rows, rows
