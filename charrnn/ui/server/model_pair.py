"""The pair A and B of a comparison, each a checkpoint at a training step."""

from collections.abc import Sequence

from pydantic import BaseModel

from charrnn.invisible_chars import quoted
from charrnn.number_format import counted
from charrnn.ui.server.checkpoint_store import LoadedModel, Store
from charrnn.ui.server.request_parameters import Choice, Chosen, validate
from charrnn.ui.server.view_query import ViewQuery

NAMES = ("A", "B")


class SideForm(BaseModel):
    """The form values of A or B."""

    checkpoint: Chosen = Choice()


def load_pair(store: Store, query: ViewQuery) -> tuple[LoadedModel, LoadedModel]:
    """Load both models. Raises ValueError."""
    a, b = (_load(store, query, name) for name in NAMES)
    return a, b


def _load(store: Store, query: ViewQuery, name: str) -> LoadedModel:
    try:
        choice = validate(SideForm, query.form.get(name, {})).checkpoint
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
    return store.load(choice.name, choice.step)


def with_step(loaded: LoadedModel) -> str:
    """Format the title, with the training step unless it is the last."""
    return loaded.title if loaded.is_last_step else f"{loaded.title}, step {loaded.checkpoint.step:,}"


def known_to_both(pair: Sequence[LoadedModel], text: str) -> tuple[str, str]:
    """Drop characters unknown to either model. Return the text and a notice of them."""
    known = "".join(character for character in text if all(character in loaded.vocab.ids for loaded in pair))
    if known == text:
        return text, ""
    kept = set(known)
    unknown = [character for character in dict.fromkeys(text) if character not in kept]
    named = ", ".join(map(quoted, unknown[:5])) + (", …" if len(unknown) > 5 else "")
    skipped = counted(len(text) - len(known))
    return known, f"Skipped {skipped} that one of the two networks does not know: {named}."
