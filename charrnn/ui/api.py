"""The public endpoints, and the validation of their arguments."""

import inspect
import math
from collections.abc import Callable
from functools import wraps
from typing import Annotated, Any

import gradio as gr
from gradio.events import api as endpoint
from pydantic import Field, ValidationError, validate_call

from charrnn.bootstrap import Interval
from charrnn.ranges import Range
from charrnn.sampling import SamplingSettings, distribution
from charrnn.ui.server import request_parameters
from charrnn.ui.server.analyses import gradient_of
from charrnn.ui.server.checkpoint_store import LoadedModel, Store
from charrnn.ui.server.generation_defaults import PROMPT, SEED, prompt_for
from charrnn.ui.server.malloc_trim import MEMORY_USE
from charrnn.ui.server.request_parameters import (
    MAX_READ_CHARS,
    MAX_SAFE_INTEGER,
    Characters,
    MinP,
    Name,
    Prompt,
    Seed,
    Temperature,
    TopK,
    TopP,
    within,
)
from charrnn.ui.server.source_text import SourceText

MAX_CALLS = 4  # at once; others wait in Gradio's queue
LongText = Annotated[str, Field(max_length=MAX_READ_CHARS)]
SavedStep = Annotated[int, within(Range(-1, MAX_SAFE_INTEGER, whole=True))]


def build(store: Store) -> None:
    """Add the endpoints write, next_characters, gradient_flow and models."""

    def write(
        prompt: Prompt = PROMPT,
        checkpoint: Name = "",
        characters: Characters = 400,
        temperature: Temperature = 0.8,
        top_k: TopK = 0,
        top_p: TopP = 1.0,
        min_p: MinP = 0.0,
        seed: Seed = SEED,
        step: SavedStep = -1,
    ) -> str:
        """
        Generate a text; equal arguments always return the same text.

        Parameters:
            prompt: the beginning of the text, at most 1000 characters, all known to the model; may be empty. Unknown
                characters of the default are dropped
            checkpoint: a name of `models`; empty is the first one
            characters: how many to generate, 1 to 3000
            temperature: 0 (always the most probable character), or 0.000001 to 2
            top_k: keep only this many of the most probable characters; 0 keeps all
            top_p: keep only the nucleus of this probability, above 0 to 1; 1 keeps all
            min_p: drop characters below this share of the highest probability, 0 to 1; 0 keeps all
            seed: of the random numbers, a whole number from 0 to 2**32 - 1
            step: a saved training step of the checkpoint; -1 is the last
        Returns:
            the text, including the prompt
        """
        settings = SamplingSettings(temperature, top_k, top_p, min_p)
        loaded = _load(store, checkpoint, step)
        prompt = prompt_for(loaded, prompt)
        return prompt + loaded.text_of(loaded.sample(prompt, characters, settings, seed))

    def next_characters(
        text: LongText = PROMPT,
        checkpoint: Name = "",
        temperature: Temperature = 1.0,
        top_k: TopK = 0,
        top_p: TopP = 1.0,
        min_p: MinP = 0.0,
        step: SavedStep = -1,
    ) -> list[dict[str, Any]]:
        """
        Return every character that may follow a text, the most probable first.

        Parameters:
            text: the text so far, at most 20000 characters, all known to the model. Unknown characters of the default
                are dropped
            checkpoint: a name of `models`; empty is the first one
            temperature: 0 (always the most probable character), or 0.000001 to 2
            top_k: keep only this many of the most probable characters; 0 keeps all
            top_p: keep only the nucleus of this probability, above 0 to 1; 1 keeps all
            min_p: drop characters below this share of the highest probability, 0 to 1; 0 keeps all
            step: a saved training step of the checkpoint; -1 is the last
        Returns:
            a list of {character, raw, probability}; raw is the model's probability, probability is 0 for a dropped
            character
        """
        settings = SamplingSettings(temperature, top_k, top_p, min_p)
        loaded = _load(store, checkpoint, step)
        output = loaded.decoder.prefill(loaded.vocab.encode(prompt_for(loaded, text)))
        found = distribution(output.logits, settings)
        characters = loaded.vocab.decode(found.order.tolist())
        columns = zip(characters, found.raw.tolist(), found.probs.tolist(), strict=True)
        return [{"character": c, "raw": raw, "probability": p} for c, raw, p in columns]

    def gradient_flow(text: LongText = "", checkpoint: Name = "", step: SavedStep = -1) -> dict[str, Any]:
        """
        Measure the gradient norms of a loss k characters back, relative to k = 0.

        Parameters:
            text: to measure on, 130 to 20000 characters, all known to the model; empty is the default text
            checkpoint: a name of `models`; empty is the first one
            step: a saved training step of the checkpoint; -1 is the last
        Returns:
            lags, median, low (10 %), high (90 %), geometric_mean, positions, half_life_chars, horizon_chars (1 %),
            text, half_life_interval and horizon_interval: [low, high] of 95 %, null if the text is too short for one;
            an end is null if it lies beyond the last lag
        """
        loaded = _load(store, checkpoint, step)
        loaded.vocab.encode(text)  # raises ValueError for an unknown character, which `gradient_of` would drop
        flow, source = gradient_of(store, loaded, SourceText(text) if text.strip() else None)
        arrays = ("lags", "median", "low", "high", "geometric_mean")
        return {
            **{name: getattr(flow, name).tolist() for name in arrays},
            "positions": flow.positions,
            "half_life_chars": flow.half_life_chars,
            "horizon_chars": flow.horizon_chars,
            "half_life_interval": _ends(flow.half_life_interval),
            "horizon_interval": _ends(flow.horizon_interval),
            "text": str(source),
        }

    def models() -> list[dict[str, Any]]:
        """
        List the checkpoints on offer.

        Returns:
            a list of {name, title, cell, hidden_dim, config, parameters, step, saved_steps, metrics, sha256,
            characters}
        """
        return [
            {
                "name": info.name,
                "title": LoadedModel.title_of(info),
                "cell": info.cell,
                "hidden_dim": info.hidden_dim,
                "config": info.config,
                "parameters": info.parameters,
                "step": info.step,
                "saved_steps": info.saved_steps,
                "metrics": info.metrics,
                "sha256": info.sha256,
                "characters": info.vocab.characters,
            }
            for info in store.checkpoints()
        ]

    for function in (write, next_characters, gradient_flow, models):
        endpoint(_validated(function), api_name=function.__name__, concurrency_limit=MAX_CALLS, concurrency_id="api")


def _validated(function: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap an endpoint: validate its arguments and report errors in one line."""
    validated, signature = validate_call(function), inspect.signature(function)

    @wraps(function)
    def call(*arguments: Any, **named: Any) -> Any:
        try:
            with MEMORY_USE.block():
                return validated(**signature.bind(*arguments, **named).arguments)
        except ValueError as error:
            text = request_parameters.describe_error(error) if isinstance(error, ValidationError) else str(error)
            raise gr.Error(text, title="Refused", print_exception=False) from error

    return call


def _ends(interval: Interval | None) -> list[float | None] | None:
    """Return both ends as JSON; an infinite one is null."""
    return interval and [end if math.isfinite(end) else None for end in interval]


def _load(store: Store, checkpoint: str, step: int) -> LoadedModel:
    return store.load(checkpoint or None, None if step == -1 else step)
