"""
Experiments of the study on trained models.

Each part yields the rows that `scripts/study.py` documents and stores.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from charrnn import checkpoint
from charrnn.bootstrap import interval_facts
from charrnn.corpus import Corpus, contiguous_streams, windows_in_order
from charrnn.gradient_flow import gradient_flow, lyapunov_exponents, scale_recurrent, spectra
from charrnn.model import CharRNN
from charrnn.ngram import KneserNey
from charrnn.paths import CHECKPOINTS
from charrnn.sampling import Decoder, DecoderOutput, SamplingSettings, Step, UniformStream, generate
from charrnn.study.estimates import standard_error
from charrnn.text_quality import Reference
from charrnn.training.evaluation import VAL_STREAMS, VAL_WINDOW

Row = dict[str, Any]

PROMPT, SAMPLE_CHARS, SAMPLE_SETTINGS, SAMPLE_SEED = "ROMEO:", 400, SamplingSettings(temperature=0.8), 7
PROMPT_CHARS = 100  # of held-out text, before a generated one begins
EXCERPT_CHARS = 240  # of a generated text that a row shows
HELD_OUT = "held-out text"  # instead of a model's name
EXPONENT_CHARS = 16_384  # of held-out text
FACTORS = (0.5, 0.7, 0.85, 1.0, 1.2, 1.4, 1.6)  # of the recurrent weights
VANISHING_NORM = 0.95  # σ_max(W_hh) at which theory says that the gradient of a tanh network must vanish


def load_checkpoints(names: Sequence[str]) -> Iterator[checkpoint.Checkpoint]:
    """Load checkpoints by name or folder. Raises CheckpointError."""
    for name in names:
        folder = next((path for path in (CHECKPOINTS / name, Path(name)) if name and path.is_dir()), None)
        if folder is None:
            print(f"no checkpoint {name}: skipped", file=sys.stderr)
        else:
            yield checkpoint.load(folder)


# ------------------------------------------------------------------------------------------------ ngram


class NGramDecoder:
    """A `sampling.Decoder` of an n-gram model; its state is the last order - 1 ids."""

    def __init__(self, model: KneserNey):
        self.model = model

    def prefill(self, ids: Sequence[int], state: tuple[int, ...] | None = None) -> DecoderOutput:
        context = (*(state or ()), *ids)[-(self.model.order - 1) :]
        return DecoderOutput(self.model.log_probs(context), context, {})

    def step(self, id: int, state: tuple[int, ...]) -> DecoderOutput:
        return self.prefill([id], state)


def ngram(options: argparse.Namespace, text: str) -> Iterator[Row]:
    """Evaluate Kneser-Ney n-grams as `charrnn.training` does, a row per order."""
    corpus = Corpus.from_text(text).require(VAL_WINDOW + 1)
    train, val = (contiguous_streams(ids, VAL_STREAMS).numpy() for ids in (corpus.train_ids, corpus.val_ids))
    x, y = windows_in_order(corpus.val_ids, VAL_WINDOW)
    cold = torch.cat([x, y[:, -1:]], dim=1).numpy()  # (W, T + 1)
    prompt = corpus.vocab.default_prompt(PROMPT)
    for order in options.orders:
        start = time.perf_counter()
        model = KneserNey(corpus.train_ids.numpy(), len(corpus.vocab), order)
        losses = {"train_loss_nats": train, "val_stream_nats": val, "val_cold_nats": cold}
        row = {"order": order, "ngrams": model.size} | {name: model.loss_nats(rows) for name, rows in losses.items()}
        seconds = time.perf_counter() - start
        steps = generate_text(
            NGramDecoder(model), corpus.vocab.encode(prompt), SAMPLE_CHARS, SAMPLE_SETTINGS, SAMPLE_SEED
        )
        yield row | {"seconds": seconds, "sample": prompt + corpus.vocab.decode(step.id for step in steps)}


def generate_text(decoder: Decoder, prompt: Sequence[int], n: int, settings: SamplingSettings, seed: int) -> list[Step]:
    """Generate n characters after the prompt."""
    return list(generate(decoder, decoder.prefill(prompt), n, settings, UniformStream(seed)))


# ------------------------------------------------------------------------------------------------ sampling


def sampling(options: argparse.Namespace, text: str) -> Iterator[Row]:
    """Measure the quality of sampled text, a row for each sampler."""
    corpus = Corpus.from_text(text)
    cut = len(corpus.train_ids)
    reference, held_out = Reference(text[:cut]), text[cut:]
    excerpts = list(_prompts_and_continuations(held_out, options.texts, options.chars))
    yield _quality_row(HELD_OUT, None, reference, [written for _, written in excerpts], None)
    for model in load_checkpoints(options.checkpoints):
        decoder = model.model.decoder()
        prompts = [model.vocab.encode(prompt) for prompt, _ in excerpts]
        for settings in _sampler_settings(options):
            texts = [
                generate_text(decoder, prompt, options.chars, settings, seed) for seed, prompt in enumerate(prompts)
            ]
            kept = statistics.fmean(step.distribution.kept for steps in texts for step in steps)
            decoded = [model.vocab.decode(step.id for step in steps) for steps in texts]
            yield _quality_row(model.info.name, settings, reference, decoded, kept)


def _prompts_and_continuations(text: str, count: int, chars: int) -> Iterator[tuple[str, str]]:
    """Yield prompts spread over the text, each with the text that follows it."""
    last = len(text) - 2 * PROMPT_CHARS - chars
    if last < 0:
        raise ValueError(f"the text holds out {len(text)} characters, {-last} too few: give less --chars")
    for i in range(count):
        start = i * last // max(1, count - 1) + PROMPT_CHARS
        line_end = text.find("\n", start, start + PROMPT_CHARS)
        begin = start if line_end < 0 else line_end + 1
        yield text[begin - PROMPT_CHARS : begin], text[begin : begin + chars]


def _sampler_settings(options: argparse.Namespace) -> Iterator[SamplingSettings]:
    yield SamplingSettings(temperature=0)
    for temperature in options.temperatures:
        yield SamplingSettings(temperature)
        yield from (SamplingSettings(temperature, top_k=top_k) for top_k in options.top_k)
        yield from (SamplingSettings(temperature, top_p=top_p) for top_p in options.top_p)


def _quality_row(
    name: str, settings: SamplingSettings | None, reference: Reference, texts: Sequence[str], kept: float | None
) -> Row:
    qualities = [asdict(reference.score_text(text)) for text in texts]
    shares = ("known_words", "distinct_4grams", "repetition", "copied")
    drawn = {key: getattr(settings, key, None) for key in ("temperature", "top_k", "top_p")}
    values_of = {share: [quality[share] for quality in qualities] for share in shares}
    figures = {
        share: {"mean": statistics.fmean(values), "standard_error": standard_error(values)}
        for share, values in values_of.items()
    }
    return {"model": name} | drawn | {"kept_characters": kept} | figures | {"sample": texts[0][:EXCERPT_CHARS]}


# ------------------------------------------------------------------------------------------------ recurrent_scale


def recurrent_scale(options: argparse.Namespace, text: str) -> Iterator[Row]:
    """Measure gradients and first Lyapunov exponent of W_hh × g."""
    for model in load_checkpoints(options.checkpoints):
        name, network = model.info.name, model.model
        if not isinstance(network, CharRNN):
            raise ValueError(f"{name} has no recurrent weights: give --checkpoints recurrent networks")
        ids = Corpus.from_text(text, model.vocab).val_ids.tolist()
        spectrum = spectra(network)[0]
        vanishing = (VANISHING_NORM / spectrum.norm,) if spectrum.bounds else ()
        for g in (*vanishing, *FACTORS):
            scaled = scale_recurrent(network, g)
            flow = gradient_flow(scaled, ids, positions=options.positions)
            first, spectrum = lyapunov_exponents(scaled, ids[:EXPONENT_CHARS]), spectra(scaled)[0]
            yield {
                "model": name,
                "g": g,
                "half_life_chars": flow.half_life_chars,
                **interval_facts("half_life", flow.half_life_interval),
                "horizon_chars": flow.horizon_chars,
                **interval_facts("horizon", flow.horizon_interval),
                "exponent": float(first.exponents[0]),
                "exponent_error": float(first.errors[0]),
                "sigma_max": spectrum.norm if spectrum.bounds else None,
            }
