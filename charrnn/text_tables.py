"""Tables as Markdown and as aligned text."""

import re
from collections.abc import Sequence

from charrnn.chunked_logits import MIN_KL_NATS


def markdown_table(heads: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    """Format a Markdown table, first column left-aligned, others right-aligned."""
    ruler = ["---", *("---:" for _ in heads[1:])]
    return "\n".join(f"| {' | '.join(line)} |" for line in [heads, ruler, *body])


def left_aligned_table(heads: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    """Format a Markdown table with left-aligned columns."""
    return "\n".join(f"| {' | '.join(line)} |" for line in [heads, ["---"] * len(heads), *body])


def format_kl(nats: float) -> str:
    """Format a mean KL divergence; below float64 resolution, that bound."""
    return f"{nats:.1e}" if nats >= MIN_KL_NATS else f"< {MIN_KL_NATS:.0e}"


def quoted(text: str) -> str:
    """Format a text as a code block with a fence longer than any backticks in it."""
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", text)), default=0))
    return f"{fence}text\n{text.rstrip()}\n{fence}"


def columns(heads: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    """Format a table as aligned text, first column left-aligned."""
    widths = [max(map(len, column)) for column in zip(heads, *body, strict=True)]
    return "\n".join(
        "  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])]).rstrip() for line in [heads, *body]
    )
