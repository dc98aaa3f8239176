"""The public endpoints; every argument is validated here."""

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Annotated, Any

import gradio as gr
from gradio.events import api as endpoint
from pydantic import Field, ValidationError, validate_call

from charrnn.ranges import Range
from charrnn.sampling import SamplingSettings, distribution
from charrnn.ui.server import request_parameters
from charrnn.ui.server.analyses import measured
from charrnn.ui.server.checkpoint_store import LoadedModel, Store
from charrnn.ui.server.generation_defaults import PROMPT, SEED, prompt_for
from charrnn.ui.server.malloc_trim import USERS
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
    """Offer write, next_characters, gradient_flow and models."""

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
        Write a text; the same arguments always give the same text.

        Parameters:
            prompt: where the text begins; may be empty, at most 1000 characters, all of them known to the model; of
                the default those that it knows
            checkpoint: a name that `models` lists; empty is the first of them
            characters: how many to write, 1 to 3000
            temperature: 0 (always the likeliest character), or 0.000001 to 2
            top_k: keep only so many of the likeliest characters; 0 keeps all
            top_p: keep only the nucleus of this probability, above 0 to 1; 1 keeps all
            min_p: cut what is less likely than this share of the likeliest, 0 to 1; 0 keeps all
            seed: of the dice, a whole number from 0 to 2**32 - 1
            step: the saved training step to write with; -1 is the last
        Returns:
            the text, prompt included
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
            text: what has been written so far, at most 20000 characters; of the default those that the model knows
            checkpoint: a name that `models` lists; empty is the first of them
            temperature: 0 (always the likeliest character), or 0.000001 to 2
            top_k: keep only so many of the likeliest characters; 0 keeps all
            top_p: keep only the nucleus of this probability, above 0 to 1; 1 keeps all
            min_p: cut what is less likely than this share of the likeliest, 0 to 1; 0 keeps all
            step: the saved training step to read with; -1 is the last
        Returns:
            a list of {character, raw, probability}; probability is 0 for a character that was cut
        """
        settings = SamplingSettings(temperature, top_k, top_p, min_p)
        loaded = _load(store, checkpoint, step)
        found = distribution(loaded.decoder.prefill(loaded.vocab.encode(prompt_for(loaded, text))).logits, settings)
        characters = loaded.vocab.decode(found.order.tolist())
        columns = zip(characters, found.raw.tolist(), found.probs.tolist(), strict=True)
        return [{"character": c, "raw": raw, "probability": p} for c, raw, p in columns]

    def gradient_flow(text: LongText = "", checkpoint: Name = "", step: SavedStep = -1) -> dict[str, Any]:
        """
        Measure gradient norms of one loss k characters back, relative to k = 0.

        Parameters:
            text: to measure on, 130 to 20000 characters; empty takes the default text
            checkpoint: a name that `models` lists; empty is the first of them
            step: the saved training step; -1 is the last
        Returns:
            lags, median, low (10 %), high (90 %), geometric_mean, positions, half_life_chars, horizon_chars (1 %), text
        """
        loaded = _load(store, checkpoint, step)
        loaded.vocab.encode(text)  # the page leaves out what a model does not know; here that is refused
        flow, source = measured(store, loaded, SourceText(text) if text.strip() else None)
        arrays = ("lags", "median", "low", "high", "geometric_mean")
        return {
            **{name: getattr(flow, name).tolist() for name in arrays},
            "positions": flow.positions,
            "half_life_chars": flow.half_life_chars,
            "horizon_chars": flow.horizon_chars,
            "text": str(source),
        }

    def models() -> list[dict[str, Any]]:
        """
        The checkpoints on offer.

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
        called = _refusing(function)
        endpoint(called, api_name=function.__name__, concurrency_limit=MAX_CALLS, concurrency_id="api")


def _refusing(function: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap an endpoint: validate its arguments and report errors in one line."""
    validated, signature = validate_call(function), inspect.signature(function)

    @wraps(function)
    def called(*arguments: Any, **named: Any) -> Any:
        try:
            with USERS.one():
                return validated(**signature.bind(*arguments, **named).arguments)
        except ValueError as error:
            text = request_parameters.describe_error(error) if isinstance(error, ValidationError) else str(error)
            raise gr.Error(text, title="Refused", print_exception=False) from error

    return called


def _load(store: Store, checkpoint: str, step: int) -> LoadedModel:
    return store.load(checkpoint or None, None if step == -1 else step)
