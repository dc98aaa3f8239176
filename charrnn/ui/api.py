"""The named endpoints: the same package functions the page uses, with every bound checked here."""

from collections.abc import Callable
from functools import wraps
from typing import Any

import gradio as gr
from gradio.events import api as endpoint

from charrnn.sampling import Dice, distribution, generate
from charrnn.ui import wishes
from charrnn.ui.analysis_view import LONGEST_TEXT
from charrnn.ui.example import PROMPT, prompt_for
from charrnn.ui.gradients_tab import measured
from charrnn.ui.source_text import SourceText
from charrnn.ui.spare_memory import USERS
from charrnn.ui.store import Reader, Store
from charrnn.ui.wishes import LARGEST_EXACT, LONGEST_NAME, LONGEST_PROMPT, LONGEST_RUN

LONGEST_READ = 20_000
MAX_CALLS = 4  # at once; others wait in Gradio's queue


def build(store: Store) -> None:
    """Offer write, next_characters, gradient_flow and models."""

    def write(
        prompt: str = PROMPT,
        checkpoint: str = "",
        characters: int = 400,
        temperature: float = 0.8,
        top_k: int = 0,
        top_p: float = 1.0,
        min_p: float = 0.0,
        seed: int = 7,
        step: int = -1,
    ) -> str:
        """
        Write a text: the same seed, prompt, settings and checkpoint always give the same one.

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
        wishes.text("prompt", prompt, LONGEST_PROMPT)
        characters = wishes.whole("characters", characters, 1, LONGEST_RUN)
        settings = wishes.sampling(temperature, top_k, top_p, min_p)
        dice = Dice(seed)
        reader = _reader(store, checkpoint, step)
        prompt = prompt_for(reader, prompt)
        beginning = reader.decoder.prefill(reader.vocab.encode(prompt))
        steps = generate(reader.decoder, beginning, characters, settings, dice)
        return prompt + reader.vocab.decode([step.id for step in steps])

    def next_characters(
        text: str = PROMPT,
        checkpoint: str = "",
        temperature: float = 1.0,
        top_k: int = 0,
        top_p: float = 1.0,
        min_p: float = 0.0,
        step: int = -1,
    ) -> list[dict[str, Any]]:
        """
        What may come after a text: every character with its probability before and after the filters, likeliest first.

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
        wishes.text("text", text, LONGEST_READ)
        settings = wishes.sampling(temperature, top_k, top_p, min_p)
        reader = _reader(store, checkpoint, step)
        found = distribution(reader.decoder.prefill(reader.vocab.encode(prompt_for(reader, text))).logits, settings)
        characters = reader.vocab.decode(found.order.tolist())
        columns = zip(characters, found.raw.tolist(), found.probs.tolist(), strict=True)
        return [{"character": c, "raw": raw, "probability": p} for c, raw, p in columns]

    def gradient_flow(text: str = "", checkpoint: str = "", step: int = -1) -> dict[str, Any]:
        """
        How far back learning reaches: the norm of one loss's gradient k characters earlier, relative to k = 0.

        Parameters:
            text: to measure on, 130 to 20000 characters; empty takes the default text
            checkpoint: a name that `models` lists; empty is the first of them
            step: the saved training step; -1 is the last
        Returns:
            lags, median, low (10 %), high (90 %), geometric_mean, positions, half_life_chars, horizon_chars (1 %), text
        """
        wishes.text("text", text, LONGEST_TEXT)
        reader = _reader(store, checkpoint, step)
        reader.vocab.encode(text)  # the page leaves out what a model does not know; here that is refused
        flow, source = measured(store, reader, SourceText(text) if text.strip() else None)
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
                "title": Reader.title_of(info),
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
            for info in store.infos()
        ]

    for function in (write, next_characters, gradient_flow, models):
        called = _refusing(function)
        endpoint(called, api_name=function.__name__, concurrency_limit=MAX_CALLS, concurrency_id="api")


def _refusing(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function; what is wrong with a request is told to its client in one line."""

    @wraps(function)
    def called(*arguments: Any, **named: Any) -> Any:
        try:
            with USERS.one():
                return function(*arguments, **named)
        except ValueError as error:
            raise gr.Error(str(error), title="Refused", print_exception=False) from error

    return called


def _reader(store: Store, checkpoint: str, step: int) -> Reader:
    wishes.text("checkpoint", checkpoint, LONGEST_NAME)
    step = wishes.whole("step", step, -1, LARGEST_EXACT)
    return store.reader(checkpoint or None, None if step == -1 else step)
