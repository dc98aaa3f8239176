"""Surprisal differences of two models, in a sentence and in a table."""

from collections.abc import Iterable

from charrnn.number_format import counted, signed
from charrnn.surprisal import GroupMean
from charrnn.ui.components.table.table import Cell, Table, number


def describe_mean(whole: GroupMean, origin: str) -> str:
    """Format the mean Δ bits over a text, with its 95 % interval if there is one."""
    return f"Δ = {signed_with_margin(whole)} bits per character, over {counted(whole.characters)} of {origin}"


def signed_with_margin(group: GroupMean) -> str:
    """Format a mean Δ with the margin of its 95 % interval, if there is one."""
    margin = "" if group.margin_bits is None else f" ± {group.margin_bits:.3f}"
    return f"{signed(group.delta_bits, 3)}{margin}"


def difference_table(caption: str, names: tuple[str, str], groups: Iterable[tuple[str, GroupMean]]) -> Table:
    """Tabulate the mean surprisals of two models by group of characters."""
    rows = [
        [
            Cell(name),
            number(group.characters, "{:,}"),
            number(group.a_bits),
            number(group.b_bits),
            number(group.delta_bits, "{:+.3f}"),
            number(group.margin_bits),
        ]
        for name, group in groups
    ]
    titles = ("characters", "how many", *(f"{name}, bits" for name in names), "Δ, bits", "95 %: ±")
    return Table(caption, titles, rows, sortable=False)
