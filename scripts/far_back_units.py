"""What docs/how_far_back.md says of units: the best of each network, and where the names do not hold."""

from collections.abc import Mapping, Sequence

from charrnn.neurons import Best, Kept
from scripts.tables import markdown_table

SHOWN = ("rnn", "gru", "lstm", "minigpt")  # the four systems of the lab sheet


def best_units(kept: Mapping[str, Kept]) -> str:
    """How many units bear a name, the best unit of every concept with its untrained baseline, and what is odd."""
    some = next(iter(kept.values()))
    return "\n\n".join(
        [
            f"Everything a network has to show (h, c, gates, layers) on {some.characters:,} held-out characters, "
            "each unit against each concept, chosen on the first half, reported on the second, by AUC; of positions "
            "and of the line of the speech by R². A unit bears a name only where it beats what units of untrained "
            "networks of the same form reach there: the 99th percentile for that concept, and a margin that leaves 98 "
            "in 100 untrained units without any name. With hundreds of units to choose from, the first half's score "
            "flatters; the second's does not.",
            named(kept),
            "The unit that stood out most on the first half, its score on the second and, in brackets, the untrained "
            "99th percentile; *in italics* where no unit was found.",
            by_concept(kept),
            "\n".join(f"- {odd}" for odd in (out_of_reach(kept), shared(kept), fallen(kept), absent(some))),
        ]
    )


def named(kept: Mapping[str, Kept]) -> str:
    """How many units bear a name, in everything a network has to show."""
    body = []
    for name, each in kept.items():
        shares = "; ".join(f"{view} {board.named}/{board.units}" for view, board in each.boards.items())
        first = next(iter(each.boards.values()))
        found = sum(best.found for best in first.best)
        body.append([f"`{name}`", f"{found} of {len(first.best)}", f"{first.margin:.3f}", shares])
    return markdown_table(["network", "concepts with a unit", "margin", "units with a name"], body)


def by_concept(kept: Mapping[str, Kept]) -> str:
    """A row for each concept."""
    concepts = list(dict.fromkeys(best.concept for each in kept.values() for _, best in all_of(each)))
    body = []
    for concept in concepts:
        cells = []
        for name in SHOWN:
            choice = stands_out(kept[name], concept)
            cells.append("–" if choice is None else cell(*choice))
        body.append([concept, *cells])
    return markdown_table(["concept", *(f"`{name}`" for name in SHOWN)], body)


def all_of(kept: Kept) -> list[tuple[str, Best]]:
    """Every best unit, with what it is a unit of."""
    return [(view, best) for view, board in kept.boards.items() for best in board.best]


def stands_out(kept: Kept, concept: str) -> tuple[str, Best] | None:
    """Of all views the unit that is furthest above what it has to beat, judged on the first half alone."""
    choices = [(view, best) for view, best in all_of(kept) if best.concept == concept]
    return max(choices, key=lambda choice: choice[1].train - choice[1].to_beat, default=None)


def cell(view: str, best: Best) -> str:
    """One unit and its scores."""
    told = f"{view}[{best.unit}] {best.held_out:.3f} ({best.percentile:.3f})"
    return told if best.found else f"*{told}*"


def out_of_reach(kept: Mapping[str, Kept]) -> str:
    """What an untrained network tells as well."""
    rows = [best for each in kept.values() for _, best in all_of(each)]
    never = []
    for concept in dict.fromkeys(best.concept for best in rows):
        of_concept = [best for best in rows if best.concept == concept]
        if not any(best.found for best in of_concept):
            most, untrained = max(best.held_out for best in of_concept), max(best.percentile for best in of_concept)
            never.append(f"{concept} (up to {most:.3f}, untrained {untrained:.3f})")
    return (
        "**An untrained network tells it as well.** Nothing that any of the networks has to show stands for: "
        f"{'; '.join(never) or 'none of the bank'}. A high AUC alone would have named units for them."
    )


def shared(kept: Mapping[str, Kept]) -> str:
    """One unit under several names."""
    told = []
    for name in SHOWN:
        of: dict[str, list[str]] = {}
        view, board = next(iter(kept[name].boards.items()))
        for best in board.best:
            if best.found:
                of.setdefault(f"{view}[{best.unit}]", []).append(best.concept)
        told += [f"`{name}` {unit}: {', '.join(names)}" for unit, names in of.items() if len(names) > 1]
    return (
        "**One unit, several names.** A name is what a unit tells, not what it is for; the best unit of one concept is "
        f"often that of another, in the output alone: {'; '.join(told) or 'not here'}."
    )


def fallen(kept: Mapping[str, Kept]) -> str:
    """Who was chosen by luck."""
    rows = [(name, view, best) for name, each in kept.items() for view, best in all_of(each)]
    worst: Sequence[tuple[str, str, Best]] = sorted(rows, key=lambda row: row[2].held_out - row[2].train)[:3]
    told = "; ".join(f"`{n}` {v}[{b.unit}], {b.concept}: {b.train:.3f} → {b.held_out:.3f}" for n, v, b in worst)
    lower = sum(best.held_out < best.train for _, _, best in rows)
    return (
        f"**What the other half takes back.** {lower} of {len(rows)} best units score lower on the half that had no "
        f"say; furthest fell {told}."
    )


def absent(kept: Kept) -> str:
    """What the text has too little of."""
    rare = sorted({concept for board in kept.boards.values() for concept in board.rare})
    return (
        f"**Not to be had on this text**: {', '.join(rare) or 'nothing'}; fewer than ten characters of it in one half."
    )
