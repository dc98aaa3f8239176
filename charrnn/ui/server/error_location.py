"""Describes errors raised by a user-edited cell."""

from pathlib import Path
from traceback import extract_tb

PACKAGE = Path(__file__).resolve().parents[2]
INTERFACE = PACKAGE / "ui"


def raised(error: Exception) -> str:
    """Format the error with the innermost line outside `ui` of its traceback."""
    frames = [frame for frame in extract_tb(error.__traceback__) if PACKAGE in Path(frame.filename).parents]
    below = [frame for frame in frames if INTERFACE not in Path(frame.filename).parents]
    message = f"{type(error).__name__}: {error or 'no reason given'}"
    if not below:
        return message
    last = below[-1]
    file = Path(last.filename).relative_to(PACKAGE.parent).as_posix()
    return f"{message}, raised at line {last.lineno} of {file}, in {last.name}: {last.line}"
