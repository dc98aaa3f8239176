"""Answers of scenes about interventions: scaled weights, clamps, clipping."""

import json
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from charrnn.clamps import Clamp
from charrnn.gradient_flow import scale_recurrent
from charrnn.neurons import all_activations
from charrnn.paths import STUDY
from charrnn.probes import ContextAblation, LineReset, ablate_context, line_reset
from charrnn.surprisal import TraceDecoder
from charrnn.ui.gradients.recurrent_scale import scaled_gradients
from charrnn.ui.lecture.trained_model_answers import Answer, common_length, require_activation, sample
from charrnn.ui.neurons.exercises import MAX_REMAINING, MIN_CARRIED
from charrnn.ui.server.analyses import FAR_BACK, read_bits, text_for
from charrnn.ui.server.checkpoint_store import LoadedModel, Store
from charrnn.ui.server.share_link import ShareLink

SCALES = (0.7, 1.4)
MAX_READ_CHARS = 2000  # of the default text
SAMPLE_CHARS = 2000  # for a mean over lines
AS_VANILLA = (Clamp("z", None, 0.0), Clamp("r", None, 1.0))  # makes a GRU h' = tanh(W_ih x + W_hh h + b)


def mean_bits(decoder: TraceDecoder, ids: Sequence[int]) -> float:
    """Return the mean surprisal in bits per character."""
    return float(read_bits(decoder, ids).mean())


def _held_out(store: Store, loaded: LoadedModel) -> tuple[str, list[int], str]:
    """Return the beginning of the default text, its ids and its origin."""
    source = text_for(store, loaded).first(MAX_READ_CHARS)
    return source.text, loaded.vocab.encode(source.text), source.origin


def scaled_weights(store: Store, link: ShareLink) -> Answer:
    """Measure W_hh × 0.7 and × 1.4: eigenvalues, gradient, bits and text."""
    loaded = link.loaded
    _, ids, _ = _held_out(store, loaded)
    parts, texts, positions = [], {}, 0
    for g in (1.0, *SCALES):
        model, flow = scale_recurrent(loaded.checkpoint.model, g), scaled_gradients(store, loaded, g)
        positions = flow.positions
        radius = float(np.abs(np.linalg.eigvals(model.cell.W_hh.weight.detach().double().numpy())).max())
        left = f"{flow.geometric_mean[FAR_BACK]:.0e}".replace("-", "−")
        decoder = model.decoder()
        parts.append(
            f"× {g:g}: largest |eigenvalue| {radius:.2f}, {left} of the gradient left {FAR_BACK} characters back "
            f"(geometric mean), {mean_bits(decoder, ids):.2f} bits a character"
        )
        texts[g] = sample(link, decoder=decoder)[0]
    shown = [(f"W_hh × {g:g}", texts[g], common_length(texts[1.0], texts[g])) for g in (SCALES[0], 1.0, SCALES[1])]
    ways = tuple({"title": f"Turn to × {g:g}", "part": "#cr-knob", "knob": g} for g in SCALES)
    gradients_on, bits_on = f"{positions} positions of {text_for(store, loaded)}", f"its first {len(ids):,} characters"
    words = f"{'. '.join(parts)} (gradients at {gradients_on}, bits on {bits_on})."
    return Answer(words, tuple(shown), {"knob": SCALES[1], "ways": ways})


def gating(store: Store, link: ShareLink) -> Answer:
    """Clamp the gates of a GRU to make it vanilla; measure loss and context."""
    loaded = link.loaded
    require_activation(loaded, "z")
    vanilla = store.load("rnn")
    text, ids, origin = _held_out(store, loaded)
    rows = [
        (f"{loaded.title} as it is", loaded.decoder, ids),
        ("its gates held at z = 0, r = 1", loaded.decoder.clamped(AS_VANILLA), ids),
        (f"{vanilla.title}, which learnt without gates", vanilla.decoder, vanilla.vocab.encode(text)),
    ]
    bits = [mean_bits(decoder, of) for _, decoder, of in rows]
    contexts = [ablate_context(decoder, of) for _, decoder, of in rows]
    parts = [
        f"{name}: {cost:.2f} bits a character, looks back {_context_length(context)}"
        for (name, *_), cost, context in zip(rows, bits, contexts, strict=True)
    ]
    guessing = math.log2(len(loaded.vocab))
    verdict = (
        f"Of {guessing:.2f} bits that guessing costs, its weights without its gates save {guessing - bits[1]:.2f}."
    )
    if (contexts[1].characters or contexts[1].n[-1] + 1) > (contexts[0].characters or 0):
        verdict += " And what is long gone moves it more than before: that is chaos, not memory."
    words = f"{'; '.join(parts)} (on {len(ids):,} characters of {origin}). {verdict}"
    return Answer(words, shown={"clamp": [(clamp.name, clamp.unit, clamp.value) for clamp in AS_VANILLA]})


def _context_length(found: ContextAblation) -> str:
    n = found.characters
    return f"more than {found.n[-1]} characters" if n is None else f"{n} character{'' if n == 1 else 's'}"


def clamp(store: Store, link: ShareLink) -> Answer:
    """Clamp the line-counting unit at its 5 % and 95 % quantiles."""
    loaded = link.loaded
    require_activation(loaded, "c")
    text, ids, origin = _held_out(store, loaded)
    c = all_activations(loaded.decoder, ids, "c").astype(np.float64)  # (T, H)
    unit, found = line_counter(text, c)
    clamps = [Clamp("c", unit, round(float(np.quantile(c[:, unit], share)), 2)) for share in (0.05, 0.95)]
    low, high = (f"{clamp.value:g}".replace("-", "−") for clamp in clamps)
    decoders = [loaded.decoder.clamped(clamps[:1]), loaded.decoder, loaded.decoder.clamped(clamps[1:])]
    samples = [sample(link, n=SAMPLE_CHARS, clamps=some)[0] for some in (clamps[:1], (), clamps[1:])]
    lengths = [f"{line_length(long):.0f} characters a line" for long in samples]
    bits = [mean_bits(decoder, ids) for decoder in decoders]
    words = (
        f"Unit {unit} of c carries {found.carried:.2f} of itself over 5 characters of a line and keeps "
        f"{found.remaining_share:.3f} of its spread over ⏎. "
        f"Held at {low}: {lengths[0]}, {bits[0] - bits[1]:+.3f} bits a character; as it is: {lengths[1]}; "
        f"held at {high}: {lengths[2]}, {bits[2] - bits[1]:+.3f} bits a character (lines over {SAMPLE_CHARS:,} "
        f"characters written with the same dice, bits and the unit's 5 % and 95 % on {len(ids):,} characters of "
        f"{origin}). One number of 256, and lines hang on it."
    )
    titles = (f"c of unit {unit} = {low}", "as it is", f"c of unit {unit} = {high}")
    texts = [long[: len(long) - SAMPLE_CHARS + link.query.characters] for long in samples]
    shown = [(title, text, common_length(texts[1], text)) for title, text in zip(titles, texts, strict=True)]
    ways = tuple(
        {"title": f"Hold it at {value}", "part": "#cr-clamp", "clamp": [("c", unit, clamp.value)]}
        for value, clamp in zip((low, high), clamps, strict=True)
    )
    return Answer(words, tuple(shown), {"clamp": ways[1]["clamp"], "ways": ways})


def line_counter(text: str, c: np.ndarray) -> tuple[int, LineReset]:
    """Find the unit that best counts along lines: c (T, H). Raises ValueError."""
    found = [line_reset(text, c[:, unit]) for unit in range(c.shape[1])]
    best = max(range(len(found)), key=lambda unit: found[unit].carried - found[unit].remaining_share)
    if found[best].remaining_share > MAX_REMAINING or found[best].carried < MIN_CARRIED:
        raise ValueError("this model has no unit that counts along a line and resets at its end: choose another")
    return best, found[best]


def line_length(text: str) -> float:
    """Return the mean length of the lines that are no speaker's name."""
    lines = [line for line in text.split("\n") if line and not line.endswith(":")]
    return float(np.mean([len(line) for line in lines])) if lines else float(len(text))


def clipping(store: Store, link: ShareLink, study: Path = STUDY) -> Answer:
    """Compare the study's runs with and without clipping."""
    try:
        rows = json.loads(study.read_text(encoding="utf-8"))["clipping"]["rows"]
        rate = max(row["learning_rate"] for row in rows)
        off, on = (
            next(row for row in rows if row["learning_rate"] == rate and bool(row["max_grad_norm"]) == clips)
            for clips in (False, True)
        )
        losses = [
            f"val {row['val_stream_nats']:.4f} nats, largest norm {row['largest_grad_norm']:.2f}" for row in (off, on)
        ]
        steps, share, limit = off["steps"], on["share_to_clip"], on["max_grad_norm"]
    except (OSError, ValueError, KeyError, TypeError, StopIteration):
        raise ValueError("no study of clipping found: run python scripts/study.py clipping") from None
    is_same = off["val_stream_nats"] == on["val_stream_nats"]
    verdict = (
        f"Nothing: the norm reached {limit:g} in {share:.0%} of the steps, so both runs are the same to the last "
        "digit. Nothing exploded here: clipping is a belt for the day when something does."
        if is_same
        else f"The norm reached {limit:g} in {share:.0%} of the steps, and from there on the runs are two."
    )
    return Answer(
        f"Not clipped: {losses[0]}; clipped at {limit:g}: {losses[1]} (learning rate {rate:g}, {steps:,} steps, one "
        f"seed). {verdict}",
        shown={"ways": ({"title": "The norms of both runs", "part": "#cr-clipping"},)},
    )
