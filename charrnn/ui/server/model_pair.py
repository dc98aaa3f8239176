"""The two that are compared, A and B: each a checkpoint after a step of its training, or the same one twice."""

from collections.abc import Sequence
from typing import Any

from charrnn.ui.server.checkpoint_store import Reader, Store
from charrnn.ui.server.validation import Choice, Chosen, Sampling, checked
from charrnn.ui.server.view_query import Question

NAMES = ("A", "B")
AT_FIRST = ("rnn", "minigpt")


class Side(Sampling):
    """What the form says of A or of B."""

    checkpoint: Chosen = Choice()


def side_of(question: Question, name: str) -> Side:
    """What the form says of A or of B. Raises ValueError."""
    try:
        return checked(Side, question.form.get(name, {}))
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


def sides(store: Store, question: Question) -> tuple[Reader, Reader]:
    """The models asked for; at first the vanilla network and MiniGPT, where they are on offer. Raises ValueError."""
    names = [info.name for info in store.infos()]
    found = []
    for name, first, other in zip(NAMES, AT_FIRST, (names[:1], names[-1:]), strict=True):
        choice = side_of(question, name).checkpoint
        by_default = first if first in names else next(iter(other), None)
        found.append(store.reader(by_default if choice.name is None else choice.name, choice.step))
    return found[0], found[1]


def titles(readers: Sequence[Reader]) -> list[str]:
    """What the page calls them: "A · Vanilla RNN", with the step of the training where it is not the last."""
    return [f"{name} · {with_step(reader)}" for name, reader in zip(NAMES, readers, strict=True)]


def with_step(reader: Reader) -> str:
    """Its title, with the step of its training where that is not the last."""
    step = reader.checkpoint.step
    return reader.title if step == reader.info.saved_steps[-1] else f"{reader.title}, step {step:,}"


def pickers(store: Store, readers: Sequence[Reader]) -> dict[str, Any]:
    """What the page needs to offer the models for A and for B, and which of them they are."""
    models = [
        {"name": info.name, "title": Reader.title_of(info), "steps": info.saved_steps, "characters": len(info.vocab)}
        for info in store.infos()
    ]
    chosen = [{"name": reader.info.name, "step": reader.checkpoint.step} for reader in readers]
    return {"models": models, "chosen": chosen, "titles": titles(readers)}


def known_to_both(readers: Sequence[Reader], text: str) -> tuple[str, str]:
    """The text without the characters that one of them has never seen, and what to say about those."""
    dropped = [character for character in text if not all(character in reader.vocab.ids for reader in readers)]
    if not dropped:
        return text, ""
    kinds = list(dict.fromkeys(dropped))
    named = ", ".join(map(repr, kinds[:5])) + (" and others" if len(kinds) > 5 else "")
    what = "1 character" if len(dropped) == 1 else f"{len(dropped):,} characters"
    out = set(kinds)
    return "".join(c for c in text if c not in out), f"Left out {what} that A or B has never seen: {named}."
