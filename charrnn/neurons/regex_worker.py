"""
Child process that matches a regular expression; JSON on stdin and stdout.

`re` cannot be interrupted, and (a+)+$ takes exponential time, but a process can be terminated. Its memory is limited.
"""

import json
import re
import sys

MAX_MEMORY = 512 << 20  # bytes


def spans(pattern: str, text: str) -> dict:
    """Return {"spans": [[first, end], …]} of matches, or {"error", "position"}."""
    try:
        found = [match.span() for match in re.compile(pattern, re.MULTILINE).finditer(text)]
    except re.error as error:
        return {"error": error.msg, "position": error.pos}
    except (RecursionError, OverflowError, MemoryError):
        return {"error": "it is too large", "position": None}
    return {"spans": [span for span in found if span[0] < span[1]]}


def _limit_memory() -> None:
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY, MAX_MEMORY))
    except (ImportError, ValueError, OSError):
        pass  # not every system has this limit; the time limit always applies


if __name__ == "__main__":
    _limit_memory()
    json.dump(spans(*json.load(sys.stdin)), sys.stdout)
