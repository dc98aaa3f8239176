"""Generate docs/results.md from the stored records."""

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from charrnn.analysis_record import AnalysisRecord
from charrnn.bootstrap import interval_from_record, student_margin, with_interval
from charrnn.commands.analyse import CHANCE_NETWORKS
from charrnn.context_use import BATCH, describe_length, memory_from_record
from charrnn.gradient_flow import flow_from_record
from charrnn.gradient_flow.lyapunov import STRETCHES
from charrnn.metrics import bits_per_char, perplexity
from charrnn.neurons import leaderboards_from_record
from charrnn.published_results import PUBLISHED
from charrnn.study.lab_sheet_claims import CLAIMS, corruption_of, filter_gains
from charrnn.study.model_experiments import EXPONENT_CHARS
from charrnn.study.stored_records import Records
from charrnn.text_tables import format_kl, left_aligned_table, markdown_table, quoted

CLAIMS_NOTE = """A claim gives a range for a quantity, and the measurement has a 95 % interval (± or in brackets).
**Confirmed**: the whole interval is within the range; **corrected**: it is outside; **open**: neither, and the last
column names what would decide it; **partly**: of several quantities some are within and the others outside. The sheet's
losses are those of training minibatches, so they are compared with our training losses ("about" is ± 0.05 nats); the
loss on held-out text is given too. Losses are means over runs of one recipe with different seeds. Their intervals use
Student's t and the standard deviation of seeds pooled over all recipes, so a single run has an interval too. A claim
that something happens to a run must hold for at least half of the runs."""
LOSSES_NOTE = """Tiny Shakespeare, nats per character, with the final weights; trained on the first 90 % of the text,
validated on the rest. A row is the mean over the runs of one recipe, which differ in their seed only, with their range
in brackets; the first run is bundled.

- `train`: mean over the minibatches of the last updates, dropout included; the lab sheet's "loss".
- `stream`: the validation text as 64 contiguous streams, the state carried from start to end; MiniGPT's context slides.
- `cold`: windows of 256 characters, each from a zero state.
- `2nd half`: `stream` on the second half of the validation text, which is harder. Recipes were chosen on the first
  half, those of `rnn` and the gated networks on the whole text ([experiments.md](experiments.md)), which biases their
  losses downwards.

Minutes were measured on different machines that also did other work; [performance.md](performance.md) compares speed.
Bits and perplexity are those of `stream`. `scripts/train.py --all` trains the bundled checkpoints; Kneser-Ney n-grams
are the baseline."""
HEADS = "network|runs|parameters|steps|minutes|train|val `stream`|val `cold`|2nd half|bits|perplexity".split("|")
LENGTHS = (128, 256, 512)
DISTANCES = (1, 2, 5, 10, 20, 50, 100)  # characters back
FAMILIES = {"vanilla": "rnn", "vanilla + layer norm": "rnn-layernorm", "MiniGPT": "minigpt"}


def page(records: Records) -> str:
    """Return the whole file."""
    sections = [
        "# Results\n\nWritten by `python scripts/report.py` from the checkpoints and the "
        "`analyses.json` beside them, `docs/runs.json`, `docs/study.json` and the benchmarks' records. "
        "[study.md](study.md) describes how each figure is measured.",
        f"## The lab sheet's claims\n\n{CLAIMS_NOTE}\n\n{claims(records)}",
        f"## Losses\n\n{LOSSES_NOTE}\n\n{losses(records)}\n\n{initial_loss(records)}\n\n{published()}",
        f"## Context\n\n{context(records)}",
        f"## Top-k and top-p at the same temperature\n\n{sampling(records)}",
        f"## Without clipping\n\n{clipping(records)}",
        f"## ReLU instead of tanh\n\n{relu(records)}",
        f"## How far back\n\n{reach(records)}\n\n{context_use(records)}\n\n{recurrent_scale(records)}",
        f"## Units that track a concept\n\n{units(records)}",
        f"## Samples\n\n{samples(records)}",
    ]
    return "\n\n".join(sections) + "\n"


def initial_loss(records: Records) -> str:
    """Describe the losses before the first update."""
    values = ", ".join(f"{info.metrics['initial_loss_nats']:.3f} (`{info.name}`)" for info in records.bundled)
    size = len(records.bundled[0].vocab)
    guess = f"a uniform guess among {size} characters costs ln {size} = {math.log(size):.3f}"
    return f"Before the first update the loss is {values}; {guess}."


def losses(records: Records) -> str:
    """Format all recipes and n-grams, the best first."""
    rows = [(records.mean(name).value, _recipe(records, name)) for name in records.recipes]
    rows += [(row["val_stream_nats"], _ngram(row)) for row in records.rows("ngram")]
    return markdown_table(HEADS, [cells for _, cells in sorted(rows, key=lambda row: row[0])])


def _recipe(records: Records, name: str) -> list[str]:
    runs, stream = records.recipes[name], records.mean(name).value
    minutes = statistics.fmean(run["metrics"]["minutes"] for run in runs)
    size = [f"{len(runs)}", f"{runs[0]['parameters']:,}", f"{runs[0]['step']}", f"{minutes:.1f}"]
    second_halves = [run["metrics"]["val_halves_nats"][1] for run in runs if "val_halves_nats" in run["metrics"]]
    half = f"{statistics.fmean(second_halves):.3f}" if second_halves else ""  # no run of an earlier version has them
    nats = [records.mean(name, key).with_range() for key in ("train_loss_nats", "val_stream_nats", "val_cold_nats")]
    return [f"`{name}`", *size, *nats, half, *_bits(stream)]


def _ngram(row: dict[str, Any]) -> list[str]:
    size = ["", f"{row['ngrams']:,}", "", f"{row['seconds'] / 60:.2f}"]
    nats = [f"{row[key]:.3f}" for key in ("train_loss_nats", "val_stream_nats", "val_cold_nats")]
    return [f"Kneser-Ney {row['order']}-gram", *size, *nats, "", *_bits(row["val_stream_nats"])]


def _bits(nats: float) -> list[str]:
    return [f"{bits_per_char(nats):.3f}", f"{perplexity(nats):.2f}"]


def published() -> str:
    """Format the published results."""
    heads = ["published elsewhere", "parameters", "val", "how", "source"]
    body = []
    for other in PUBLISHED:
        source = f"[{other.source}]({other.url})" if other.url else other.source
        size = "" if other.parameters is None else f"{other.parameters:,}"
        body.append([other.name, size, f"{other.val_nats:g}", other.protocol, source])
    return left_aligned_table(heads, body)


def claims(records: Records) -> str:
    """Format the claims of the lab sheet with verdict and measurement."""
    body = []
    for section, claim, judge in CLAIMS:
        verdict, figure, _ = judge(records)
        body.append([section, claim, f"**{verdict}**", figure])
    return left_aligned_table(["§", "the lab sheet says", "", "measured"], body)


def context(records: Records) -> str:
    """Format losses by the length of the training windows."""
    figures = ("train_loss_nats", "val_stream_nats", "val_cold_nats")
    body = []
    for family, name in FAMILIES.items():
        for length in LENGTHS:
            recipe = name if length == 128 else f"{name}-seq{length}"
            if runs := records.recipes.get(recipe):
                losses = (records.mean(recipe, figure).with_range() for figure in figures)
                body.append([family, f"{length}", f"{runs[0]['step']}", f"{len(runs)}", *losses])
    trained = markdown_table(["network", "window", "steps", "runs", "train", "val `stream`", "val `cold`"], body)
    return (
        "Windows of 128, 256 and 512 characters, 8192 characters in every step; MiniGPT's context is its window.\n\n"
        + trained
    )


def sampling(records: Records) -> str:
    """Format text quality by temperature and filter."""
    heads = ["network, filter", "T", "kept", "known words", "distinct 4-grams", "repeated", "copied"]
    body, models = [], []
    for row in records.rows("sampling"):
        filters = "the text itself" if row["temperature"] is None else _filter(row)
        models += [row["model"]] if row["model"] not in models else []
        name = f"{row['model']}, {filters}"
        shares = [
            f"{row[key]['mean']:.1%} ± {row[key]['standard_error']:.1%}"
            for key in ("known_words", "distinct_4grams", "repetition", "copied")
        ]
        temperature = "" if row["temperature"] is None else f"{row['temperature']:g}"
        kept = "" if row["kept_characters"] is None else f"{row['kept_characters']:.1f}"
        body.append([name, temperature, kept, *shares])
    return f"{compared(records)}\n\n{markdown_table(heads, body)}"


def _filter(row: dict[str, Any]) -> str:
    if row["temperature"] == 0:
        return "greedy"
    if row["top_k"]:
        return f"top-k {row['top_k']}"
    return f"top-p {row['top_p']:g}" if row["top_p"] < 1 else "no filter"


def compared(records: Records) -> str:
    """Compare top-k with top-p at the same temperature and variety."""
    lines = [[f"`{model}`", f"{t:g}", f"{gain:+.2%}"] for model, t, gain in filter_gains(records)]
    return (
        "Share of known words with top-p minus that with top-k, at the same temperature and the same share of distinct "
        "4-grams: each top-k is compared with a top-p of the same share, interpolated between two measured ones; the "
        "mean over k.\n\n" + markdown_table(["network", "T", "top-p − top-k"], lines)
    )


RUN_HEADS = "learning rate|clipped at|runs|NaN|loss at the end|largest norm|steps above 5|largest spike".split("|")


def clipping(records: Records) -> str:
    """Format runs of the lab sheet's recipe with and without clipping."""
    settings = records.study["clipping"]["settings"]
    spike = "a spike is the loss minus the median of the 50 steps before"
    intro = f"The lab sheet's recipe, {settings['steps']} steps; {spike}."
    return f"{intro}\n\n{markdown_table(RUN_HEADS, _run_rows(records.rows('clipping')))}"


def relu(records: Records) -> str:
    """Format runs with tanh and with ReLU."""
    settings = records.study["relu"]["settings"]
    body = [
        [f"{kind}, {cells[0]}", *cells[1:]]
        for kind in ("tanh", "relu")
        for cells in _run_rows(records.rows("relu", activation=kind))
    ]
    return f"The lab sheet's recipe, {settings['steps']} steps.\n\n{markdown_table(RUN_HEADS, body)}"


def _run_rows(rows: Sequence[dict[str, Any]]) -> list[list[str]]:
    groups: dict[tuple, list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault((row["learning_rate"], row["max_grad_norm"]), []).append(row)
    body = []
    for (rate, norm), group in sorted(groups.items()):
        losses = [row["last_loss_nats"] for row in group if row["last_loss_nats"] is not None]
        body.append(
            [
                f"{rate:g}",
                f"{norm:g}" if norm else "not",
                f"{len(group)}",
                f"{sum(row['diverged_at'] is not None for row in group)}",
                f"{statistics.mean(losses):.3f}" if losses else "–",
                f"{max(row['largest_grad_norm'] or 0 for row in group):.3g}",
                f"{statistics.mean(row['share_to_clip'] for row in group):.1%}",
                f"{max(row['largest_spike_nats'] or 0 for row in group):.2f}",
            ]
        )
    return body


def reach(records: Records) -> str:
    """Format gradient and influence of a character by distance."""
    found = {info.name: records.analysis(info, "gradient") for info in records.bundled}
    flows = {name: flow_from_record(record) for name, record in found.items()}
    order = sorted(flows, key=lambda name: flows[name].half_life_chars or math.inf)
    gradient = markdown_table(
        ["gradient, relative", "half-life", "1 % left", *map(str, DISTANCES), "slope 32–128", "exponent"],
        [
            [
                f"`{name}`",
                flows[name].describe_half_life(),
                flows[name].describe_horizon(),
                *(f"{flows[name].median[lag]:.1e}" for lag in DISTANCES),
                *exponent(found[name]),
            ]
            for name in order
        ],
    )
    replaced = {name: corruption_of(records, name) for name in order}
    influence = markdown_table(
        ["KL, nats", *map(str, DISTANCES)],
        [[f"`{name}`", *(format_kl(replaced[name].mean[lag - 1]) for lag in DISTANCES)] for name in order],
    )
    counts = sorted({flow.positions for flow in flows.values()})
    return (
        "The norm of the gradient of one loss k characters back, median over "
        f"{' or '.join(f'{count:,}' for count in counts)} positions of held-out text, relative to k = 0; half-life and "
        "the horizon where 1 % is left, in characters, in brackets 95 % intervals by bootstrap over the positions. The "
        "state is h, of an LSTM h and c together, so these lengths are those of their joint norm. Slope of the "
        "geometric mean from k = 32 to 128 and first Lyapunov exponent with its 95 % interval over 16 stretches of "
        "text, in nats a character: at large lags the slope equals the exponent; if they differ, 128 characters are "
        "not enough. A Transformer has no exponent.\n\n"
        f"{gradient}\n\nChange of the prediction (KL) when the character k back is replaced, mean over "
        f"{replaced[order[0]].positions:,} positions, in float64.\n\n{influence}"
    )


def chars(length: float | None) -> str:
    """Format a number of characters; None: beyond the 128 measured."""
    return "> 128" if length is None else f"{length:.1f}"


def chars_with_interval(row: Mapping[str, Any], name: str) -> str:
    """Format a row's length with its interval, if that begins within the 128 measured."""
    length, ends = chars(row[f"{name}_chars"]), [row.get(f"{name}_{end}") for end in ("low", "high")]
    return length if ends[0] is None else f"{length} ({' to '.join(map(chars, ends))})"


def exponent(found: AnalysisRecord) -> tuple[str, str]:
    """Format the slope of a gradient and the first Lyapunov exponent."""
    if "exponent" not in found.facts:
        return "–", "–"
    interval = interval_from_record(found, "exponent")
    text = with_interval(f"{found.number('exponent'):+.4f}", interval, lambda end: f"{end:+.4f}")
    return f"{found.number('tail_slope'):+.4f}", text


def context_use(records: Records) -> str:
    """Format the loss by length of context and the reach of a replaced character."""
    found = [(info.name, memory_from_record(records.analysis(info, "memory"))) for info in records.bundled]
    body = []
    for name, used in sorted(found, key=lambda pair: pair[1].context.ecl_chars):
        context, probe = used.context, used.corruption
        longest = len(context.n)
        lengths = [
            describe_length(context.ecl_chars, longest, context.ecl_interval),
            describe_length(context.ecl_share_chars, longest, context.ecl_share_interval),
            describe_length(context.shuffled_ecl_chars, longest, context.shuffled_ecl_interval),
            describe_length(probe.felt_chars, len(probe.k) - 1, probe.felt_interval),
        ]
        margin = student_margin(1, context.predictions // BATCH) or math.nan
        excess = [f"{context.excess_nats[n - 1]:.3f} ± {margin * context.excess_error[n - 1]:.3f}" for n in (1, 4, 16)]
        body.append([f"`{name}`", *lengths, *excess, f"{context.loss_nats[-1]:.3f}"])
    heads = ["network", "0.01 nats", "1 %", "shuffled", "influence", *(f"n = {n}" for n in (1, 4, 16))]
    used = found[0][1]
    return (
        f"The loss on the same {used.context.predictions:,} held-out characters given only the last n characters, "
        f"minus the loss given {len(used.context.n)} (last column), in nats, ± its 95 % interval; a network starts "
        "from its initial state. The effective context, in characters, in brackets 95 % "
        "intervals by bootstrap: the n beyond which more context lowers the loss by at most 0.01 nats, or by 1 % of "
        "it; `shuffled`: by 0.01 nats, with 128 characters in random order before the n. `influence`: for how many "
        "characters a replaced one changes predictions by more "
        f"than 0.01 nats (KL, median over {used.corruption.positions:,} positions).\n\n"
        + markdown_table([*heads, f"n = {len(used.context.n)}"], body)
    )


def recurrent_scale(records: Records) -> str:
    """Format half-life and exponent of W_hh × g."""
    body, positions = [], records.study["recurrent_scale"]["settings"]["positions"]
    for row in records.rows("recurrent_scale"):
        margin = student_margin(row["exponent_error"], STRETCHES)
        lengths = [chars_with_interval(row, name) for name in ("half_life", "horizon")]
        norm = "–" if row["sigma_max"] is None else f"{row['sigma_max']:.2f}"
        measured = f"{row['exponent']:+.4f} ± {margin:.4f}"
        body.append([f"`{row['model']}`", f"{row['g']:.3g}", *lengths, measured, norm])
    heads = ["network", "W_hh × g", "half-life", "1 % left", "exponent", "σ_max"]
    return (
        "The trained networks with only W_hh scaled, by g: half-life and horizon of the median gradient at "
        f"{positions:,} positions of the held-out text, in brackets 95 % intervals by bootstrap over the positions; "
        f"the exponent over its first {EXPONENT_CHARS:,} characters, ± its 95 % interval. Pascanu et al. 2013: "
        "with tanh the gradient must vanish if σ_max(W_hh) < 1, and can grow "
        f"(exponent above 0) only if it is greater.\n\n{markdown_table(heads, body)}"
    )


def units(records: Records) -> str:
    """Format the numbers of concepts that have a unit, trained and by chance."""
    found = {info.name: leaderboards_from_record(records.analysis(info, "units")) for info in records.bundled}
    body = [
        [f"`{name}`", ", ".join(f"{view}: {board.found} ({board.chance:.1f})" for view, board in stored.boards.items())]
        for name, stored in found.items()
    ]
    first = next(iter(found.values()))
    board = next(iter(first.boards.values()))
    return (
        f"How many of {len(board.best)} concepts have a unit among the states, gates or layers; in brackets, how many "
        f"by the same protocol in an untrained network (mean over {CHANCE_NETWORKS} others than the baseline's). "
        f"Units are chosen on the first half of {first.characters:,} held-out characters and tested on the second "
        f"against untrained units ({board.untrained_units:,} of `{records.bundled[0].name}`).\n\n"
        + markdown_table(["network", "concepts with a unit (by chance)"], body)
    )


def samples(records: Records) -> str:
    """Format a sample of each run: 400 characters, T = 0.8, the same uniforms."""
    rows = [(row["val_stream_nats"], f"Kneser-Ney {row['order']}-gram", row["sample"]) for row in records.rows("ngram")]
    for name, (run, *_) in records.recipes.items():
        rows.append((run["metrics"]["val_stream_nats"], f"`{name}`", run["metrics"]["sample"]))
    return "\n\n".join(f"**{name}**, {nats:.3f} nats\n\n{quoted(text)}" for nats, name, text in sorted(rows))
