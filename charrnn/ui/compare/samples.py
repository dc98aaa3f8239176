"""Samples of each saved step of a model."""

from collections.abc import Iterator
from typing import Any

from charrnn.checkpoint import MAX_NAME_CHARS, CheckpointError, CheckpointInfo
from charrnn.sampling import SamplingSettings
from charrnn.ui.server.checkpoint_store import LoadedModel, Store
from charrnn.ui.server.generation_defaults import PROMPT, SEED
from charrnn.ui.server.streaming import message
from charrnn.ui.server.view_query import IsCurrent, ViewQuery, require_current

SAMPLE_CHARS = 300
SAMPLE_SETTINGS = SamplingSettings(temperature=0.8)


def samples(store: Store, query: ViewQuery, is_current: IsCurrent) -> Iterator[str]:
    """Stream a sample of each saved step of a model. Raises ValueError, Superseded."""
    info = store.load(query.text("model", MAX_NAME_CHARS)).info
    found: list[dict[str, Any]] = []
    skipped: list[str] = []
    for part, step in enumerate(info.saved_steps, 1):
        require_current(is_current)
        try:
            text = sample(store, info.name, step)
            found.append({"step": step, "loss": _loss_at(info, step), "text": text})
        except CheckpointError as error:  # the other steps may be valid
            skipped.append(f"Step {step} is left out: {error}.")
        words = "" if step == info.saved_steps[-1] else f"{LoadedModel.title_of(info)} writes …"
        if info.saved_steps == [step]:
            words = "Only the final network was saved."
        words = " ".join(filter(None, [words, *skipped]))
        yield message(query.number, words, part, samples=found)


def sample(store: Store, name: str, step: int) -> str:
    """Return the cached sample of one saved step, with the default prompt and seed."""
    return store.cache.compute(_sample, store.load(name, step))


def _sample(loaded: LoadedModel) -> str:
    prompt = loaded.vocab.default_prompt(PROMPT)
    return prompt + loaded.text_of(loaded.sample(prompt, SAMPLE_CHARS, SAMPLE_SETTINGS, SEED))


def _loss_at(info: CheckpointInfo, step: int) -> str:
    """Format the validation loss at a step; "" if not recorded."""
    losses = {point.step: point.val_loss_nats for point in info.history}
    return f"val {losses[step]:.3f} nats" if step in losses else ""
