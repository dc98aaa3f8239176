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

ROWS = 8  # of a distribution

NARROWEST_PIECE = 0.004  # of the bar; thinner segments are merged


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
    falls = [cdf_interval(a, pair.a), cdf_interval(b, pair.b)]
    other = [falls[1].character, falls[0].character]
    sides = [
        distribution_payload(writer, step, fell, also)
        for writer, step, fell, also in zip((a, b), pair, falls, other, strict=True)
    ]
    digits = digits_for(pair.a.u, falls)
    return {"u": pair.a.u, "digits": digits, "why": why(pair.a.index, pair.a.u, falls, digits), "sides": sides}


def why(index: int, u: float, falls: Sequence[CdfInterval], digits: int) -> str:
    """Explain the difference in a sentence."""
    before = {0: "From the first character on they differ", 1: "The first character is the same, then they part"}
    opening = before.get(index, f"The first {index:,} characters are the same, then they part")
    a, b = (f"{quoted(fell.character)} {{}} ({fell.low:.{digits}f} to {fell.high:.{digits}f})" for fell in falls)
    return f"{opening}: u = {u:.{digits}f} falls on {a.format('in A')} and on {b.format('in B')}."


def digits_for(u: float, falls: Sequence[CdfInterval]) -> int:
    """Return the digits that show u inside both CDF intervals, at least three."""
    edges = [(fell.low, fell.high) for fell in falls]
    inside = (n for n in range(3, 12) if all(round(low, n) < round(u, n) < round(high, n) for low, high in edges))
    return next(inside, 12)


def distribution_payload(writer: Generator, step: Step, fell: CdfInterval, other: str) -> dict[str, Any]:
    """Describe one distribution: rows of the top candidates and segments of the bar.

    The rows include the character drawn by the other model, if this one knows it.
    """
    drawn_from, characters = step.distribution, writer.vocab.characters
    must = [step.id, *([writer.vocab.ids[other]] if other in writer.vocab.ids else [])]
    probs = drawn_from.probs
    rows = [
        {"rank": rank, "character": characters[drawn_from.order[rank]], "cut": rank >= drawn_from.kept}
        | {"p": float(probs[rank]), "from": bin_edge(drawn_from, rank)}
        for rank in visible_ranks(drawn_from, must, ROWS)
    ]
    wide = max(1, int((probs >= NARROWEST_PIECE).sum()))  # probabilities are descending
    pieces = [[characters[drawn_from.order[rank]], float(probs[rank])] for rank in range(wide)]
    return {
        "rows": rows,
        "pieces": pieces,
        "drawn": fell._asdict(),
        "other": other,
        "kept": drawn_from.kept,
        "of": len(drawn_from.order),
    }
