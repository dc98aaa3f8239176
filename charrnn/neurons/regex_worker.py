"""
A program of its own: where a visitor's regular expression matches, read from stdin, told on stdout, both JSON.

`re` cannot be interrupted, and (a+)+$ takes longer than the universe on a line of a's; a process can be ended. It may
not eat the machine's memory either.
"""

import json
import re
import sys

MOST_MEMORY = 512 << 20  # bytes


def spans(pattern: str, text: str) -> dict:
    """{"spans": [[from, up to], …]} of all matches that cover something, else {"error", "position"}."""
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

        resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    except (ImportError, ValueError, OSError):
        pass  # not every system knows such a limit; the one on time holds everywhere


if __name__ == "__main__":
    _limit_memory()
    json.dump(spans(*json.load(sys.stdin)), sys.stdout)
