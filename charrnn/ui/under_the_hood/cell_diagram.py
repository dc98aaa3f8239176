"""The diagram of a step: columns of boxes, each for some lines of the code."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Box:
    """
    One part of a step.

    inside: expressions in the cell's own lines; if there is one, the box shows its number of the chosen unit. around:
    expressions in the lines before and after the cell.
    """

    label: str
    words: str
    inside: tuple[str, ...] = ()
    around: tuple[str, ...] = ()


LETTER = Box("x", "this letter", (), ("embedded", "self.embed(ids)", "x"))
MEMORY = Box("h", "memory so far", ("state.h",))
LOGITS = Box("logits", "a score for every letter", (), ("self.head(h)", "self.head(self.norm(streams[-1]))"))
SUM = Box("+", "input + memory", ("from_input + from_state",), ("self.W_ih(x)", "self.W_hh(state.h)"))
DIAGRAMS = {
    "rnn": ((LETTER, MEMORY), (SUM,), (Box("tanh", "the new memory h", ("h",)),), (LOGITS,)),
    "lstm": (
        (LETTER, MEMORY),
        (SUM,),
        (
            Box("i", "let in", ("i",)),
            Box("f", "keep", ("f",)),
            Box("g", "what is new", ("g",)),
            Box("o", "show", ("o",)),
        ),
        (Box("c", "what is kept + what is let in", ("c",)),),
        (Box("h", "what is shown", ("h",)),),
        (LOGITS,),
    ),
    "gru": (
        (LETTER, MEMORY),
        (Box("+", "input + memory", ("x_r", "h_r"), ("self.W_ih(x)", "self.W_hh(state.h)")),),
        (
            Box("r", "read the memory", ("r",)),
            Box("z", "keep the memory", ("z",)),
        ),
        (Box("n", "what is new", ("n",)),),
        (Box("h", "kept + new", ("h",)),),
        (LOGITS,),
    ),
    "minigpt": (
        (LETTER,),
        (Box("q k v", "query, key, value", ("q", "k", "v")),),
        (Box("attention", "look at earlier letters", ("attended",)),),
        (Box("+", "add to the stream", ("x",)),),
        (Box("MLP", "transform, add again", ("returned",)),),
        (LOGITS,),
    ),
}


def diagram_of(cell: str) -> list[list[dict[str, Any]]]:
    """Return the columns of boxes of a cell as JSON; none for a custom cell."""
    return [[asdict(box) for box in column] for column in DIAGRAMS.get(cell, ())]
