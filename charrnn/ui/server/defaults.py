"""The prompt and the seed that a page opens with."""

from charrnn.ui.server.loaded_model import Reader

PROMPT, SEED = "ROMEO:\n", 7


def prompt_for(reader: Reader, prompt: str) -> str:
    """Fit the page's default prompt to a model; any other prompt stays as it was typed."""
    return reader.vocab.default_prompt(PROMPT) if prompt == PROMPT else prompt
