"""Reads one analysis saved beside a checkpoint."""

from collections.abc import Callable
from typing import TypeVar

from charrnn.analysis_record import AnalysisRecord, RecordError
from charrnn.checkpoint import CheckpointInfo

Parsed = TypeVar("Parsed")


def saved_analysis(info: CheckpointInfo, name: str, parse: Callable[[AnalysisRecord], Parsed]) -> Parsed | None:
    """Parse an analysis saved beside a checkpoint. None if absent or invalid."""
    try:
        return parse(info.analyses.sections[name])
    except (KeyError, RecordError):
        return None
