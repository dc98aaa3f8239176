"""The first draw at which two coupled texts differ, as shown on the page."""

from collections.abc import Iterator, Sequence
from typing import Any

from charrnn.coupled_sampling import (
    CdfInterval,
    DrawPair,
    Generator,
    bin_edge,
    cdf_interval,
    diverged,
    sample_coupled,
    visible_ranks,
)
from charrnn.invisible_chars import quoted
from charrnn.sampling import Step, UniformStream

MAX_ROWS = 8  # of a distribution
MIN_SEGMENT = 0.004  # share of the bar; the page merges thinner segments


def coupled_texts(
    a: Generator, b: Generator, n: int, draws: UniformStream
) -> Iterator[tuple[list[str], dict[str, Any] | None]]:
    """Sample two texts with common random numbers, one character at a time.

    Yields both texts and their divergence, None while they are the same.
    """
    texts, divergence = ["", ""], None
    for pair in sample_coupled(a, b, n, draws):
        if divergence is None and diverged(a, b, pair):
            divergence = {"at": len(texts[0]), **divergence_payload(a, b, pair)}
        texts = [texts[0] + a.character(pair.a), texts[1] + b.character(pair.b)]
        yield texts, divergence


def divergence_payload(a: Generator, b: Generator, pair: DrawPair) -> dict[str, Any]:
    """Describe the first difference: u, both distributions in draw order, the reason."""
    drawn = [cdf_interval(a, pair.a), cdf_interval(b, pair.b)]
    sides = [
        distribution_payload(a, pair.a, drawn[0], drawn[1].character),
        distribution_payload(b, pair.b, drawn[1], drawn[0].character),
    ]
    digits = digits_for(pair.a.u, drawn)
    return {"u": pair.a.u, "digits": digits, "why": why(pair.a.index, pair.a.u, drawn, digits), "sides": sides}


def why(index: int, u: float, drawn: Sequence[CdfInterval], digits: int) -> str:
    """Explain the difference in a sentence."""
    before = {0: "From the first character on they differ", 1: "The first character is the same, then they part"}
    opening = before.get(index, f"The first {index:,} characters are the same, then they part")
    a, b = (f"{quoted(one.character)} {{}} ({one.low:.{digits}f} to {one.high:.{digits}f})" for one in drawn)
    return f"{opening}: u = {u:.{digits}f} falls on {a.format('in A')} and on {b.format('in B')}."


def describe_identical(n: int, reason: str) -> str:
    """Explain that n characters are the same in both texts."""
    characters = "character" if n == 1 else f"{n:,} characters"
    return f"Identical: both write the same {characters}; {reason}."


def digits_for(u: float, drawn: Sequence[CdfInterval]) -> int:
    """Return the digits that show u inside both CDF intervals, 3 to 12."""
    edges = [(one.low, one.high) for one in drawn]
    inside = (n for n in range(3, 12) if all(round(low, n) < round(u, n) < round(high, n) for low, high in edges))
    return next(inside, 12)


def distribution_payload(generator: Generator, step: Step, drawn: CdfInterval, other: str) -> dict[str, Any]:
    """Describe one distribution: rows of the top candidates and segments of the bar.

    The rows include the character drawn by the other model, if this one knows it.
    """
    distribution, vocab = step.distribution, generator.vocab
    required = [step.id, *([vocab.ids[other]] if other in vocab.ids else [])]
    probs, characters = distribution.probs, [vocab.characters[id] for id in distribution.order]  # most probable first
    rows = [
        {"rank": rank, "character": characters[rank], "cut": rank >= distribution.kept}
        | {"p": float(probs[rank]), "from": bin_edge(distribution, rank)}
        for rank in visible_ranks(distribution, required, MAX_ROWS)
    ]
    n_segments = max(1, int((probs >= MIN_SEGMENT).sum()))
    return {
        "rows": rows,
        "pieces": [[characters[rank], float(probs[rank])] for rank in range(n_segments)],
        "drawn": drawn._asdict(),
        "other": other,
        "kept": distribution.kept,
        "of": len(characters),
    }
