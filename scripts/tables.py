"""Tables of Markdown, for the README and the study."""

from collections.abc import Sequence


def markdown_table(heads: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    """A table; the first column left-aligned, the others right-aligned."""
    ruler = ["---", *("---:" for _ in heads[1:])]
    return "\n".join(f"| {' | '.join(line)} |" for line in [heads, ruler, *body])


def words_table(heads: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    """A table of words: every column left-aligned."""
    return "\n".join(f"| {' | '.join(line)} |" for line in [heads, ["---"] * len(heads), *body])


def quoted(text: str) -> str:
    """A text that somebody wrote, its lines as they are."""
    longest = max((len(run) for run in text.replace("`", " `").split(" ") if set(run) == {"`"}), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{text.rstrip()}\n{fence}"
