"""Compare, same dice: two models or settings sampled with common random numbers."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Annotated, Any, NamedTuple

from charrnn.coupled_sampling import Generator, diverged, sample_coupled
from charrnn.ranges import Range
from charrnn.sampling import UniformStream
from charrnn.ui.components.divergence import divergence_payload
from charrnn.ui.server.checkpoint_store import Store
from charrnn.ui.server.model_pair import NAMES, known_to_both, pickers, side_form, sides
from charrnn.ui.server.streaming import add_part, answer
from charrnn.ui.server.validation import Seed, Writing, checked, within
from charrnn.ui.server.view_query import ViewQuery, Wanted, require
from charrnn.vocab import Vocab

PROMPT, SEED, CHARACTERS = "ROMEO:\n", 12, 300
MAX_CHARS = 1000
PIECE = 20  # characters a message


def build(store: Store) -> None:
    """Lay out the view and register its analysis."""
    add_part("cr-dice", "compare/coupled_sampling", partial(both_texts, store))


class DiceForm(Writing):
    """The form of the view."""

    seed: Seed = SEED
    characters: Annotated[int, within(Range(1, MAX_CHARS, whole=True))] = CHARACTERS


class Asked(NamedTuple):
    """A parsed query: two generators, their prompt and draws."""

    a: Generator
    b: Generator
    prompt: str
    characters: int
    dice: UniformStream
    alike: bool  # the same model, step and settings
    note: str


def asked_for(store: Store, question: ViewQuery) -> tuple[Asked, dict[str, Any]]:
    """Parse the form; also describe the models on offer. Raises ValueError."""
    readers, form = sides(store, question), checked(DiceForm, question.form)
    settings = [side_form(question, name).settings for name in NAMES]
    prompt = form.prompt
    if prompt == PROMPT and (shared := [c for c in readers[0].vocab.characters if c in readers[1].vocab.ids]):
        prompt = Vocab("".join(shared)).default_prompt(PROMPT)
    prompt, note = known_to_both(readers, prompt)
    a, b = (
        Generator.after(prompt, reader.decoder, reader.vocab, each)
        for reader, each in zip(readers, settings, strict=True)
    )
    alike = readers[0] is readers[1] and settings[0] == settings[1]
    return Asked(a, b, prompt, form.characters, UniformStream(form.seed), alike, note), pickers(store, readers)


def both_texts(store: Store, question: ViewQuery, wanted: Wanted) -> Iterator[str]:
    """Stream both texts and their first difference. Raises ValueError."""
    asked, more = asked_for(store, question)
    texts, parting, part = ["", ""], None, 0
    told: dict[str, Any] = {"prompt": asked.prompt, **more}
    for pair in sample_coupled(asked.a, asked.b, asked.characters, asked.dice):
        if parting is None and diverged(asked.a, asked.b, pair):
            parting = {"at": len(texts[0]), **divergence_payload(asked.a, asked.b, pair)}
        texts = [texts[0] + asked.a.character(pair.a), texts[1] + asked.b.character(pair.b)]
        if len(texts[0]) % PIECE == 0 or len(texts[0]) == asked.characters:
            require(wanted)
            words = " ".join(filter(None, [_words(asked, texts, parting), asked.note]))
            part += 1
            yield answer(question.number, words, part, texts=texts, parting=parting, **told)
            told = {"prompt": asked.prompt}


def _words(asked: Asked, texts: Sequence[str], parting: dict[str, Any] | None) -> str:
    if parting is not None:
        return parting["why"]
    if len(texts[0]) < asked.characters:
        return "Writing …"
    why = "the same model with the same settings and the same dice" if asked.alike else "no die fell where they differ"
    what = "the same character" if asked.characters == 1 else f"the same {asked.characters:,} characters"
    return f"Identical: both write {what}; {why}."


# ------------------------------------------------------------------------------------------------ where they part
