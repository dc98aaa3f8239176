"""The text that a page opens with, so that it is alive before anything is pressed."""

from charrnn.sampling import Dice, SamplingSettings
from charrnn.ui.draft import Draft
from charrnn.ui.reader import Reader
from charrnn.ui.store import Store

PROMPT, SEED, CHARACTERS = "ROMEO:\n", 7, 400
SETTINGS = SamplingSettings(temperature=0.8)


def prompt_for(reader: Reader, prompt: str) -> str:
    """Fit the page's default prompt to a model; any other prompt stays as it was typed."""
    return reader.vocab.default_prompt(PROMPT) if prompt == PROMPT else prompt


def example(store: Store, reader: Reader) -> Draft:
    """What the model writes after a speaker's name; written once, whoever comes."""
    return store.cache.compute(_written, reader).copy()


def _written(reader: Reader) -> Draft:
    draft = Draft.of(1, prompt_for(reader, PROMPT), Dice(SEED), CHARACTERS)
    draft.write(reader, SETTINGS, CHARACTERS)
    return draft
