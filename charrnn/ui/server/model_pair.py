"""The pair A and B of a comparison, each a checkpoint at a training step."""

from collections.abc import Sequence
from typing import Any

from charrnn.ui.server.checkpoint_store import LoadedModel, Store
from charrnn.ui.server.request_parameters import Choice, Chosen, Sampling, validate
from charrnn.ui.server.view_query import ViewQuery

NAMES = ("A", "B")
AT_FIRST = ("rnn", "minigpt")


class SideForm(Sampling):
    """The form values of A or B."""

    checkpoint: Chosen = Choice()


def parse_side(query: ViewQuery, name: str) -> SideForm:
    """Parse the form values of A or B. Raises ValueError."""
    try:
        return validate(SideForm, query.form.get(name, {}))
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


def load_pair(store: Store, query: ViewQuery) -> tuple[LoadedModel, LoadedModel]:
    """Load both models. The defaults are vanilla and MiniGPT. Raises ValueError."""
    names = [info.name for info in store.checkpoints()]
    found = []
    for name, first, other in zip(NAMES, AT_FIRST, (names[:1], names[-1:]), strict=True):
        choice = parse_side(query, name).checkpoint
        by_default = first if first in names else next(iter(other), None)
        found.append(store.load(by_default if choice.name is None else choice.name, choice.step))
    return found[0], found[1]


def titles(pair: Sequence[LoadedModel]) -> list[str]:
    """Format titles such as "A · Vanilla RNN", with any training step but the last."""
    return [f"{name} · {with_step(loaded)}" for name, loaded in zip(NAMES, pair, strict=True)]


def with_step(loaded: LoadedModel) -> str:
    """Format the title, with the training step unless it is the last."""
    step = loaded.checkpoint.step
    return loaded.title if step == loaded.info.saved_steps[-1] else f"{loaded.title}, step {step:,}"


def pair_payload(store: Store, pair: Sequence[LoadedModel]) -> dict[str, Any]:
    """Describe the models on offer and the current A and B."""
    models = [
        {
            "name": info.name,
            "title": LoadedModel.title_of(info),
            "steps": info.saved_steps,
            "characters": len(info.vocab),
        }
        for info in store.checkpoints()
    ]
    chosen = [{"name": loaded.info.name, "step": loaded.checkpoint.step} for loaded in pair]
    return {"models": models, "chosen": chosen, "titles": titles(pair)}


def known_to_both(pair: Sequence[LoadedModel], text: str) -> tuple[str, str]:
    """Drop characters unknown to either model. Return the text and a notice of them."""
    dropped = [character for character in text if not all(character in loaded.vocab.ids for loaded in pair)]
    if not dropped:
        return text, ""
    kinds = list(dict.fromkeys(dropped))
    named = ", ".join(map(repr, kinds[:5])) + (" and others" if len(kinds) > 5 else "")
    what = "1 character" if len(dropped) == 1 else f"{len(dropped):,} characters"
    out = set(kinds)
    return "".join(c for c in text if c not in out), f"Left out {what} that A or B has never seen: {named}."
