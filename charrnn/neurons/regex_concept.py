"""A user's regular expression as a concept, matched with a time limit."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np

from charrnn.neurons.concepts import covered

MAX_PATTERN_CHARS = 500
LIMIT_S = 2.0
REASONS = {  # messages by Python's own; {} is the character at the error
    "missing ), unterminated subpattern": "“{}” is never closed",
    "unterminated character set": "“{}” is never closed",
    "unbalanced parenthesis": "“{}” closes nothing",
    "nothing to repeat": "“{}” has nothing to repeat",
    "multiple repeat": "“{}” repeats a repetition",
}
WORKER = Path(__file__).with_name("regex_worker.py")


class PatternError(ValueError):
    """A pattern cannot be used; `position`: index of the error in it, or None."""

    def __init__(self, reason: str, position: int | None = None):
        super().__init__(reason)
        self.position = position


def covered_by(pattern: str, text: str, limit_s: float = LIMIT_S) -> np.ndarray:
    """
    Return which characters a pattern matches: bool (N,).

    ^ and $ match at every line. A child process does the matching and is terminated after limit_s seconds. Raises
    PatternError.
    """
    if not pattern:
        raise PatternError("the pattern is empty: give a regular expression, such as th|[?!]")
    if len(pattern) > MAX_PATTERN_CHARS:
        raise PatternError(f"the pattern has {len(pattern)} characters: give at most {MAX_PATTERN_CHARS}")
    command = [sys.executable, "-I", "-S", "-W", "ignore", str(WORKER)]
    request = json.dumps([pattern, text]).encode("ascii")
    try:
        output = subprocess.run(command, input=request, capture_output=True, timeout=limit_s, check=True).stdout
    except subprocess.TimeoutExpired:
        raise PatternError(
            f"stopped after {limit_s:g} s on {len(text):,} characters: nested repeats such as (a+)+ can run forever"
        ) from None
    except subprocess.CalledProcessError:
        raise PatternError("the pattern needs too much memory: make its repetitions smaller") from None
    result = json.loads(output)
    if "error" in result:
        position = result["position"]
        character = "" if position is None else pattern[position : position + 1]
        reason = REASONS.get(result["error"])
        raise PatternError(f"not a valid pattern: {reason.format(character) if reason else result['error']}", position)
    return covered(len(text), result["spans"])
