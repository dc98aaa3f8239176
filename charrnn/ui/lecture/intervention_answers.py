"""Answers of scenes about interventions: scaled weights, clamps, clipping."""

import json
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from charrnn.clamps import Clamp
from charrnn.gradient_flow import scale_recurrent, spectra
from charrnn.neurons import all_activations
from charrnn.number_format import percent
from charrnn.paths import STUDY
from charrnn.surprisal import Difference
from charrnn.ui.components.table.surprisal_table import signed_with_margin
from charrnn.ui.gradients.over_training import norm_runs
from charrnn.ui.gradients.recurrent_scale import scaled_gradients
from charrnn.ui.lecture.answer import (
    MAX_READ_CHARS,
    Answer,
    common_length,
    mean_of,
    sample,
    saved_best_unit,
    with_resamples,
)
from charrnn.ui.server.analyses import read_bits, text_for
from charrnn.ui.server.checkpoint_store import LoadedModel, Store
from charrnn.ui.server.share_link import ShareLink
from charrnn.ui.server.source_text import SourceText

SCALED = 1.4  # of the variation
SAMPLE_CHARS = 2000  # whose lines are counted
AS_VANILLA = (Clamp("z", None, 0.0), Clamp("r", None, 1.0))  # makes a GRU h' = tanh(W_ih x + W_hh h + b)


def require_activation(loaded: LoadedModel, name: str) -> None:
    """Raise ValueError if the model has no activation of this name."""
    if name not in loaded.view_names:
        raise ValueError(
            f"{loaded.title} has no {name}, only {', '.join(loaded.view_names)}: this scene needs another model"
        )


def _held_out(store: Store, loaded: LoadedModel) -> tuple[SourceText, list[int]]:
    """Return the beginning of the default text, and its ids."""
    source = text_for(store, loaded).first(MAX_READ_CHARS)
    return source, loaded.vocab.encode(source.text)


def saturation(store: Store, link: ShareLink) -> Answer:
    """Measure what tanh passes on of the gradient, beside the eigenvalues of W_hh."""
    loaded = link.loaded
    if loaded.info.cell != "rnn":
        raise ValueError(f"{loaded.title} is no vanilla network, whose h is a tanh: this scene needs one")
    source, ids = _held_out(store, loaded)
    h = all_activations(loaded.decoder, ids, "h").astype(np.float64)  # (T, H)
    passed = (1 - h**2).mean(axis=1)  # (T,)
    eigenvalues = np.abs(spectra(loaded.checkpoint.model)[0].eigenvalues)
    flows = {g: scaled_gradients(store, loaded, g) for g in (1.0, SCALED, 0.7)}
    bits = {g: read_bits(scale_recurrent(loaded.checkpoint.model, g).decoder(), ids).mean() for g in flows}
    at_one, scaled = flows[1.0], flows[SCALED]
    outside = f"{(eigenvalues > 1).sum()} of {len(eigenvalues)} eigenvalues lie outside the circle"
    share = percent(passed.mean())
    mean = with_resamples(mean_of(passed), len(ids), lambda mean: percent(mean, 1))
    return Answer(
        f"{outside}, but on average tanh passes on only {share} of the gradient: most units are saturated.",
        share,
        f"A step back multiplies the gradient by W_hh and by 1 − h². The mean of 1 − h² over {h.shape[1]} units is "
        f"{mean}, over {len(ids):,} characters of {source.origin}. {outside}, the largest at "
        f"{eigenvalues.max():.2f}. At × 1 the gradient {at_one.describe_halving()}, at × {SCALED:g} it "
        f"{scaled.describe_halving()} ({at_one.positions} positions of that text). Bits per character are over the "
        f"same {len(ids):,}. In brackets 95 % intervals.",
        shown={"knob": 1},
        ways=tuple(
            {
                "title": f"W_hh × {g:g}",
                "knob": g,
                "says": f"At × {g:g} the gradient {flow.describe_halving()}, and a character costs {bits[g]:.2f} bits"
                f"{'' if g == 1 else f' instead of {bits[1.0]:.2f}'}.",
            }
            for g, flow in flows.items()
        ),
    )


def gating(store: Store, link: ShareLink) -> Answer:
    """Clamp the gates of a GRU to make it vanilla; measure the loss."""
    loaded = link.loaded
    require_activation(loaded, "z")
    source, ids = _held_out(store, loaded)
    decoders = loaded.decoder, loaded.decoder.clamped(AS_VANILLA)
    gated, ungated = (read_bits(decoder, ids) for decoder in decoders)
    guessing = math.log2(len(loaded.vocab))

    def saved_share(counts: np.ndarray) -> np.ndarray:
        return (counts @ (guessing - ungated)) / (counts @ (guessing - gated))

    left = with_resamples(saved_share, len(ids), lambda part: percent(part, 1))
    texts = sample(link)[0], sample(link, clamps=AS_VANILLA)[0]
    vanilla, added = store.load("rnn"), ""
    if vanilla.info.cell == "rnn":
        bits = read_bits(vanilla.decoder, vanilla.vocab.encode(source.text)).mean()
        added = f" {vanilla.title}, trained without gates, needs {bits:.2f}."
    return Answer(
        f"{left} is left: it needs {ungated.mean():.2f} bits per character without gates instead of "
        f"{gated.mean():.2f}; guessing costs {guessing:.2f}.",
        left.partition(" (")[0],
        f"{loaded.title} needs {gated.mean():.2f} bits per character, with z = 0 and r = 1 for every unit "
        f"{ungated.mean():.2f}, and guessing among {len(loaded.vocab)} characters costs {guessing:.2f}. Left of what "
        f"it saves: {left}, over {len(ids):,} "
        f"characters of {source.origin}; in brackets the 95 % interval.{added}",
        (("with its gates", texts[0], len(texts[0])), ("z = 0, r = 1", texts[1], common_length(*texts))),
        ways=(
            {"title": "z = 0.5", "clamp": [("z", None, 0.5)]},
            {"title": "z = 0, r = 1", "clamp": [(clamp.name, clamp.unit, clamp.value) for clamp in AS_VANILLA]},
        ),
    )


def clamp(store: Store, link: ShareLink) -> Answer:
    """Clamp the unit that counts along the line at its values near both ends of lines."""
    loaded = link.loaded
    require_activation(loaded, "c")
    best = saved_best_unit(loaded, "c", "position in line")
    source, ids = _held_out(store, loaded)
    c = all_activations(loaded.decoder, ids, "c")[:, best.unit].astype(np.float64)  # (T,)
    values = [round(float(np.quantile(c, share)), 2) for share in (0.05, 0.95)]
    start, end = (Clamp("c", best.unit, value) for value in values[:: best.direction])
    free = read_bits(loaded.decoder, ids)
    titles = f"frozen at its line-start value, {_value(start)}", "as it is", f"at its line-end value, {_value(end)}"
    shown, details, counts, own = [], [], [], sample(link)[0]
    for title, clamps in zip(titles, ([start], [], [end]), strict=True):
        long = sample(link, n=SAMPLE_CHARS, clamps=clamps)[0]
        lines = np.array(line_lengths(long))
        counts.append(f"{len(lines)} {'line' if len(lines) == 1 else 'lines'}")
        text = long[: len(long) - SAMPLE_CHARS + link.query.characters]
        shown.append((title, text, common_length(own, text)))
        mean = with_resamples(mean_of(lines), len(lines), "{:.0f}".format, block=1)
        words = f"{title.capitalize()}: {counts[-1]} of {mean} characters on average"
        if "(" not in mean:
            words += ", too few for an interval"
        if clamps:
            cost = Difference(source.text, read_bits(loaded.decoder.clamped(clamps), ids), free).whole()
            words += f", {signed_with_margin(cost)} bits per character"
        details.append(words)
    return Answer(
        f"Frozen at its line-start value it writes {counts[0]} in {SAMPLE_CHARS:,} characters instead of "
        f"{counts[1]}; at its line-end value, {counts[2]}.",
        counts[0],
        f"Unit {best.unit} of c of {loaded.title}: R² {best.held_out_text} for the position in the line, on held-out "
        f"text. {'. '.join(details)}. Lines, without those of speakers' names, are written with the same random "
        f"numbers; bits, and the values at both ends (5 % and 95 % of the unit's), are over {len(ids):,} characters of "
        f"{source.origin}. In brackets and after ± 95 % intervals.",
        tuple(shown),
        ways=tuple(
            {"title": f"Freeze it at {_value(each)}", "clamp": [("c", best.unit, each.value)]} for each in (end, start)
        ),
    )


def _value(clamp: Clamp) -> str:
    return f"{clamp.value:g}".replace("-", "−")


def line_lengths(text: str) -> list[int]:
    """Return the lengths of lines without speakers' names, else of the whole text."""
    return [len(line) for line in text.split("\n") if line and not line.endswith(":")] or [len(text)]


def clipping(store: Store, link: ShareLink, study: Path = STUDY) -> Answer:
    """Compare the study's runs with and without clipping at the highest learning rate."""
    try:
        rows = json.loads(study.read_text(encoding="utf-8"))["clipping"]["rows"]
        rate = max(row["learning_rate"] for row in rows)
        off, on = (
            [row for row in rows if row["learning_rate"] == rate and bool(row["max_grad_norm"]) == clips]
            for clips in (False, True)
        )
        limit, steps, usual = on[0]["max_grad_norm"], on[0]["steps"], min(row["learning_rate"] for row in rows)
        diverged = [any(row["diverged_at"] is not None for row in runs) for runs in (off, on)]
        norms, losses = (
            [[row[name] for row in runs] for runs in (off, on)] for name in ("largest_grad_norm", "val_stream_nats")
        )
        peak, ends = max(map(max, norms)), [f"{min(run):.4f} to {max(run):.4f}" for run in losses]
        runs = norm_runs(study)
    except (OSError, ValueError, KeyError, TypeError, IndexError):
        raise ValueError("no study of clipping found: run python scripts/study.py clipping") from None
    which = {(False, False): "Neither", (True, False): "The unclipped one", (True, True): "Both"}
    effect = " Clipping changed nothing." if peak < limit else ""
    number = f"{peak:.1f}"
    fastest, slowest = ([run for run in runs if run.title.endswith(f"rate {shown:g}")] for shown in (rate, usual))
    unclipped = [run.name for run in slowest if not run.clipped]
    return Answer(
        f"{which.get((diverged[0], diverged[1]), 'The clipped one')}: with tanh at rate {rate:g} the gradient norm "
        f"peaked at {number}, clipping starts at {limit:g}.{effect}",
        number,
        f"Learning rate {rate:g}, {rate / usual:g} times the usual, {steps:,} steps, {len(off)} seeds of each. "
        f"Validation loss in nats: not clipped {ends[0]}, clipped at {limit:g} {ends[1]}. Largest norm of each run: "
        f"not clipped {_norms(norms[0])}; clipped {_norms(norms[1])}.",
        shown={"lines": [run.name for run in fastest]},
        ways=({"title": f"Rate {usual:g}, not clipped", "lines": unclipped}, {"title": "All runs", "lines": None}),
    )


def _norms(norms: Sequence[float]) -> str:
    return ", ".join(f"{norm:.2f}" for norm in norms)
