"""Answers of scenes with interventions: scaled weights, clamped gates or units."""

import json
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from charrnn.clamps import Clamp
from charrnn.coupled_sampling import common_length
from charrnn.gradient_flow import scale_recurrent
from charrnn.neurons import all_activations
from charrnn.paths import STUDY
from charrnn.probes import ContextAblation, LineReset, line_reset, looking_back
from charrnn.surprisal import TraceDecoder
from charrnn.ui.gradients.recurrent_scale import scaled_gradients
from charrnn.ui.lecture.scene_answers import Answer, sample
from charrnn.ui.neurons.exercises import CARRIED, LEFT
from charrnn.ui.server.analyses import FAR_BACK, read_bits, text_for
from charrnn.ui.server.checkpoint_store import LoadedModel, Store
from charrnn.ui.server.share_link import ShareLink

KNOBS = (0.7, 1.4)
READ = 2000  # characters of the held-out text
WRITTEN = 2000  # characters, for a mean over lines
AS_VANILLA = (Clamp("z", None, 0.0), Clamp("r", None, 1.0))  # with these a GRU is h' = tanh(W_ih x + W_hh h + b)


def mean_bits(decoder: TraceDecoder, ids: Sequence[int]) -> float:
    """Return the mean surprisal in bits per character."""
    return float(read_bits(decoder, ids).mean())


def _held_out(store: Store, loaded: LoadedModel) -> tuple[str, list[int], str]:
    source = text_for(store, loaded).first(READ)
    return source.text, loaded.vocab.encode(source.text), source.origin


def scaled_weights(store: Store, link: ShareLink) -> Answer:
    """Measure W_hh × 0.7 and × 1.4: eigenvalues, gradient, bits and text."""
    loaded = link.loaded
    _, ids, _ = _held_out(store, loaded)
    parts, texts, positions = [], {}, 0
    for g in (1.0, *KNOBS):
        model = scale_recurrent(loaded.checkpoint.model, g)
        flow = scaled_gradients(store, loaded, g)
        positions = flow.positions
        radius = float(np.abs(np.linalg.eigvals(model.cell.W_hh.weight.detach().double().numpy())).max())
        left = f"{flow.geometric_mean[FAR_BACK]:.0e}".replace("-", "−")
        decoder = model.decoder()
        parts.append(
            f"× {g:g}: largest |eigenvalue| {radius:.2f}, {left} of the gradient left {FAR_BACK} characters back "
            f"(geometric mean), {mean_bits(decoder, ids):.2f} bits a character"
        )
        texts[g] = sample(link, decoder=decoder)[0]
    shown = [(f"W_hh × {g:g}", texts[g], common_length(texts[1.0], texts[g])) for g in (KNOBS[0], 1.0, KNOBS[1])]
    ways = tuple({"title": f"Turn to × {g:g}", "part": "#cr-knob", "knob": g} for g in KNOBS)
    where = (
        f"gradients at {positions} positions of {text_for(store, loaded)}, bits on its first {len(ids):,} characters"
    )
    return Answer(f"{'. '.join(parts)} ({where}).", tuple(shown), {"knob": KNOBS[1], "ways": ways})


def gating(store: Store, link: ShareLink) -> Answer:
    """Clamp the gates of a GRU to make it vanilla; measure loss and context."""
    loaded, vanilla = link.loaded, store.load("rnn")
    _, ids, what = _held_out(store, loaded)
    plain = [vanilla.decoder, vanilla.vocab.encode(loaded.vocab.decode(ids))]
    rows = [
        (f"{loaded.title} as it is", loaded.decoder, ids),
        ("its gates held at z = 0, r = 1", loaded.decoder.clamped(AS_VANILLA), ids),
        (f"{vanilla.title}, which learnt without gates", *plain),
    ]
    found = [(name, mean_bits(decoder, of), looking_back(decoder, of)) for name, decoder, of in rows]
    parts = [f"{name}: {each:.2f} bits a character, looks back {_far(back)}" for name, each, back in found]
    guessing, clamped = math.log2(len(loaded.vocab)), found[1]
    verdict = (
        f"Of {guessing:.2f} bits that guessing costs, its weights without its gates save {guessing - clamped[1]:.2f}."
    )
    if (clamped[2].characters or clamped[2].n[-1] + 1) > (found[0][2].characters or 0):
        verdict += " And what is long gone moves it more than before: that is chaos, not memory."
    words = f"{'; '.join(parts)} (on {len(ids):,} characters of {what}). {verdict}"
    return Answer(words, shown={"clamp": [(clamp.name, clamp.unit, clamp.value) for clamp in AS_VANILLA]})


def _far(found: ContextAblation) -> str:
    far = found.characters
    return f"more than {found.n[-1]} characters" if far is None else f"{far} character{'' if far == 1 else 's'}"


def clamp(store: Store, link: ShareLink) -> Answer:
    """Clamp the line-counting unit at values of line start and end."""
    loaded = link.loaded
    text, ids, what = _held_out(store, loaded)
    c = all_activations(loaded.decoder, ids, "c").astype(np.float64)  # (T, H)
    unit, found = line_counter(text, c)
    free, lines, texts = mean_bits(loaded.decoder, ids), {}, {}
    clamped = {
        at: (Clamp("c", unit, round(float(np.quantile(c[:, unit], share)), 2)),)
        for at, share in (("low", 0.05), ("high", 0.95))
    }
    parts = []
    for at, clamps in {"low": clamped["low"], "free": (), "high": clamped["high"]}.items():
        decoder = loaded.decoder.clamped(clamps)
        long, _ = sample(link, decoder=decoder, n=WRITTEN)
        lines[at], texts[at] = line_length(long), long[: len(long) - WRITTEN + link.query.characters]
        cost = mean_bits(decoder, ids) - free
        value = f"held at {clamps[0].value:g}".replace("-", "−") if clamps else "as it is"
        parts.append(
            f"{value}: {lines[at]:.0f} characters a line" + (f", {cost:+.3f} bits a character" if clamps else "")
        )
    words = (
        f"Unit {unit} of c carries {found.carried:.2f} of itself over 5 characters of a line and keeps "
        f"{found.remaining_share:.3f} of its spread over ⏎. "
        f"{capital('; '.join(parts))} (lines over {WRITTEN:,} characters written "
        f"with the same dice, bits and the unit's 5 % and 95 % on {len(ids):,} characters of {what}). One number of "
        "256, and lines hang on it."
    )
    shown = [
        (
            f"c of unit {unit} = {clamped[at][0].value:g}".replace("-", "−") if at in clamped else "as it is",
            texts[at],
            common_length(texts["free"], texts[at]),
        )
        for at in ("low", "free", "high")
    ]
    ways = tuple(
        {
            "title": f"Hold it at {clamps[0].value:g}".replace("-", "−"),
            "part": "#cr-clamp",
            "clamp": [("c", unit, clamps[0].value)],
        }
        for clamps in clamped.values()
    )
    return Answer(words, tuple(shown), {"clamp": ways[1]["clamp"], "ways": ways})


def capital(sentence: str) -> str:
    """Capitalize the first letter only."""
    return sentence[:1].upper() + sentence[1:]


def line_counter(text: str, c: np.ndarray) -> tuple[int, LineReset]:
    """Find the unit that grows along lines and resets: c (T, H). Raises ValueError."""
    found = [line_reset(text, c[:, unit]) for unit in range(c.shape[1])]
    best = max(range(len(found)), key=lambda unit: found[unit].carried - found[unit].remaining_share)
    if found[best].remaining_share > LEFT or found[best].carried < CARRIED:
        raise ValueError("this network has no unit that counts along a line and begins anew: choose another one")
    return best, found[best]


def line_length(text: str) -> float:
    """Return the mean length of spoken lines."""
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
        parts = [
            f"{_run(row)}: val {row['val_stream_nats']:.4f} nats, largest norm {row['largest_grad_norm']:.2f}"
            for row in (off, on)
        ]
        steps, share, most = off["steps"], on["share_to_clip"], on["max_grad_norm"]
    except (OSError, ValueError, KeyError, TypeError, StopIteration):
        raise ValueError("there is no study of clipping here: run python scripts/study.py clipping") from None
    same = off["val_stream_nats"] == on["val_stream_nats"]
    verdict = (
        f"Nothing: the norm reached {most:g} in {share:.0%} of the steps, so both runs are the same to the last digit. "
        "Nothing exploded here: clipping is a belt for the day when something does."
        if same
        else f"The norm reached {most:g} in {share:.0%} of the steps, and from there on the runs are two."
    )
    return Answer(
        f"{capital('; '.join(parts))} (learning rate {rate:g}, {steps:,} steps, one seed). {verdict}",
        shown={"ways": ({"title": "The norms of both runs", "part": "#cr-clipping"},)},
    )


def _run(row: dict) -> str:
    return f"clipped at {row['max_grad_norm']:g}" if row["max_grad_norm"] else "not clipped"
