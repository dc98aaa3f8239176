"""The default prompt and seed of a page."""

from charrnn.ui.server.loaded_model import LoadedModel

PROMPT, SEED = "ROMEO:\n", 7


def prompt_for(loaded: LoadedModel, prompt: str) -> str:
    """Fit the default prompt to a model. Any other prompt is returned unchanged."""
    return loaded.vocab.default_prompt(PROMPT) if prompt == PROMPT else prompt
