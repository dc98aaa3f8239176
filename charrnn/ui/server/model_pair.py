"""The pair A and B of a comparison, each a checkpoint at a training step."""

from collections.abc import Sequence
from typing import Any

from charrnn.ui.server.checkpoint_store import LoadedModel, Store
from charrnn.ui.server.request_parameters import Choice, Chosen, Sampling, validate
from charrnn.ui.server.view_query import ViewQuery

NAMES = ("A", "B")
DEFAULT_PAIR = ("rnn", "minigpt")


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
    pair = []
    for side, default, other in zip(NAMES, DEFAULT_PAIR, (names[:1], names[-1:]), strict=True):
        choice = parse_side(query, side).checkpoint
        default = default if default in names else next(iter(other), None)
        pair.append(store.load(default if choice.name is None else choice.name, choice.step))
    return pair[0], pair[1]


def with_step(loaded: LoadedModel) -> str:
    """Format the title, with the training step unless it is the last."""
    return loaded.title if loaded.is_last_step else f"{loaded.title}, step {loaded.checkpoint.step:,}"


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
    titles = [f"{side} · {with_step(loaded)}" for side, loaded in zip(NAMES, pair, strict=True)]
    return {"models": models, "chosen": chosen, "titles": titles}


def known_to_both(pair: Sequence[LoadedModel], text: str) -> tuple[str, str]:
    """Drop characters unknown to either model. Return the text and a notice of them."""
    known = "".join(character for character in text if all(character in loaded.vocab.ids for loaded in pair))
    if known == text:
        return text, ""
    kept = set(known)
    unknown = [character for character in dict.fromkeys(text) if character not in kept]
    named = ", ".join(map(repr, unknown[:5])) + (" and others" if len(unknown) > 5 else "")
    n = len(text) - len(known)
    count = "1 character" if n == 1 else f"{n:,} characters"
    return known, f"Left out {count} that A or B has never seen: {named}."
