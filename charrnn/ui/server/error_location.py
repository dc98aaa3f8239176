"""Describes errors of a cell that was edited."""

from pathlib import Path
from traceback import extract_tb

PACKAGE = Path(__file__).resolve().parents[2]
UI = PACKAGE / "ui"


def locate_error(error: Exception) -> str:
    """Format the error with the innermost line of its traceback outside `ui`."""
    frames = [frame for frame in extract_tb(error.__traceback__) if PACKAGE in Path(frame.filename).parents]
    model_frames = [frame for frame in frames if UI not in Path(frame.filename).parents]
    message = f"{type(error).__name__}: {error or 'no reason given'}"
    if not model_frames:
        return message
    last = model_frames[-1]
    file = Path(last.filename).relative_to(PACKAGE.parent).as_posix()
    return f"{message}, raised at line {last.lineno} of {file}, in {last.name}: {last.line}"
