"""
State the measured result for each claim of the lab sheet, in a sentence or two.

A finding has its sample size and interval. All figures come from the stored records.
"""

import math
import statistics
from typing import Any

from charrnn.metrics import bits_per_char
from charrnn.number_format import percent, signed
from charrnn.seed_means import counted
from charrnn.study import lab_sheet_claims as claims
from charrnn.study.estimates import mean_interval, share_with_margin, standard_error
from charrnn.study.stored_records import Records
from charrnn.surprisal import GroupMean, difference_by_kind

MODELS = ("rnn", "lstm", "minigpt")  # whose texts the study compares
PAIRED = "95 %, the bundled run of each, read from start to end"
NO_FILTER = {"top_k": 0, "top_p": 1.0}


def vanishing(records: Records) -> str:
    parts = []
    for name, title in (("rnn", "the vanilla network"), ("lstm", "the LSTM")):
        flow = claims.gradient_of(records, name)
        parts.append(f"after {flow.describe_horizon()} characters in {title}")
    positions = claims.gradient_of(records, "rnn").positions
    return f"99 % of the gradient is gone {parts[0]}, {parts[1]} ({positions:,} positions, 95 %)."


def relu(records: Records) -> str:
    free = records.rows("relu", activation="relu", max_grad_norm=0.0)
    tanh = records.rows("relu", activation="tanh", max_grad_norm=0.0)
    (_, runs), (_, of_tanh) = claims.diverged(free), claims.diverged(tanh)
    return f"Without clipping {runs} with ReLU ended in NaN; with tanh {of_tanh}."


def loop_share(records: Records) -> str:
    record = records.bench("profile")
    plain = _profile_row(record, "plain loop")
    return (
        f"A plain loop over {record['seq_len']} characters and its backward pass take "
        f"{percent(plain['loop_share'])} of a training step of {plain['median_ms']:.0f} ms (median of "
        f"{record['rounds']})."
    )


def parallel(records: Records) -> str:
    """Explain why positions in parallel win on a GPU, with the times on this machine."""
    record = records.bench("profile")
    plain, ours, gpt = (_profile_row(record, name) for name in ("plain loop", "charrnn rnn", "MiniGPT"))
    size = records.runs["minigpt"]["parameters"] / records.runs["rnn"]["parameters"]
    (line,) = [line for line in record["against_T"] if line["name"] == "plain loop"]
    growth = line["median_ms"][-1] / line["median_ms"][0]
    return (
        f"One training step takes {plain['median_ms']:.0f} ms in a plain loop, {ours['median_ms']:.0f} ms with "
        f"backpropagation by hand and {gpt['median_ms']:.0f} ms in MiniGPT, which has {size:.1f} times the weights "
        f"(median of {record['rounds']}, {record['machine']['threads']} processor cores). A processor with few cores "
        "is limited by arithmetic, so the smaller network is faster here. A GPU with thousands of lanes is limited by "
        f"waiting: MiniGPT computes all {record['seq_len']} positions at once, a recurrent network one after the other "
        f"(the plain loop takes {growth:.1f} times as long for {line['seq_len'][-1]} characters as for "
        f"{line['seq_len'][0]})."
    )


def temperature(records: Records) -> str:
    cold, hot = (records.row("sampling", model="rnn", temperature=t, **NO_FILTER) for t in (0.5, 1.2))
    texts = records.study["sampling"]["settings"]["texts"]
    known, distinct = (
        [share_with_margin(row[key], texts) for row in (cold, hot)] for key in ("known_words", "distinct_4grams")
    )
    return (
        f"In texts of the vanilla network, from T = 0.5 to T = 1.2, the share of real words goes from {known[0]} to "
        f"{known[1]}, that of four-letter sequences which are distinct from {distinct[0]} to {distinct[1]} ({texts} "
        "texts each, 95 %)."
    )


def clipping(records: Records) -> str:
    _, runs = claims.diverged(records.rows("clipping", max_grad_norm=0.0))
    free = records.rows("clipping", learning_rate=1e-3, max_grad_norm=0.0)
    largest = max(row["largest_grad_norm"] for row in free)
    share = sum(row["share_to_clip"] for row in free) / len(free)
    return (
        f"Without clipping {runs} at one, three and ten times the sheet's learning rate, with {len(free)} seeds each, "
        "ended in NaN. "
        f"With its own the largest gradient norm was {largest:.2f}: a threshold of 5 acts on {percent(share, 1)} of "
        "the steps."
    )


def initial_loss(records: Records) -> str:
    nats = [run["metrics"]["initial_loss_nats"] for run in records.runs.values()]
    above = statistics.fmean(nats) - math.log(65)
    return (
        f"{min(nats):.3f} to {max(nats):.3f} nats in {len(nats)} runs, on average {abs(above):.2f} "
        f"{'above' if above > 0 else 'below'} ln 65 = {math.log(65):.3f}, the loss of a uniform guess among 65 "
        "characters; “about” is taken as ± 0.05."
    )


def losses_of(records: Records, name: str) -> str:
    train, val, steps = records.mean(name, "train_loss_nats"), records.mean(name), records.recipes[name][0]["step"]
    return f"{train} nats in training, {val} on held-out text after {steps:,} steps (95 %)"


def sheet_recipe(records: Records) -> str:
    return f"The sheet's recipe reaches {losses_of(records, 'rnn-lab')}."


def bits(records: Records) -> str:
    """Compare both losses of the sheet's recipe with its figure, 2.3."""
    means = {
        "in training": records.mean("rnn-lab", "train_loss_nats"),
        "on held-out text": records.mean("rnn-lab"),
    }
    found = {where: (bits_per_char(mean.value), bits_per_char(mean.margin)) for where, mean in means.items()}
    train, val = (f"{value:.2f} ± {margin:.2f}" for value, margin in found.values())
    where, distance = min(((where, abs(value - 2.3)) for where, (value, _) in found.items()), key=lambda pair: pair[1])
    runs = counted(means["in training"].runs)
    return (
        f"{train} bits per character in training, {val} on held-out text ({runs}): the sheet's 2.3 is nearer to the "
        f"loss {where}, {distance:.2f} away."
    )


def one_network(records: Records, name: str, title: str) -> str:
    return f"{title} reaches {losses_of(records, name)}."


def order(records: Records) -> str:
    lstm, gpt = (_difference(records, "rnn", name) for name in ("lstm", "minigpt"))
    return (
        f"The LSTM needs {_margin(lstm)} and MiniGPT {_margin(gpt)} bits per character fewer than the vanilla network "
        f"on the same {lstm.characters:,} held-out characters ({PAIRED})."
    )


def coherence(records: Records) -> str:
    texts = records.study["sampling"]["settings"]["texts"]
    rows = {name: records.row("sampling", model=name, temperature=0.8, **NO_FILTER) for name in MODELS}
    shares = [f"{share_with_margin(_complement(row), texts)} (`{name}`)" for name, row in rows.items()]
    return (
        f"Words at T = 0.8 that do not occur in the training text: {', '.join(shares)}, {texts} texts each. That "
        "measures spelling; sense needs readers."
    )


def wall_time(records: Records) -> str:
    record = records.bench("profile")
    minutes = [2000 * _profile_row(record, name)["median_ms"] / 60_000 for name in ("plain loop", "MiniGPT")]
    return (
        f"2,000 steps on {record['machine']['threads']} processor cores, computed from the time of one step: "
        f"{minutes[0]:.1f} minutes in a plain loop, {minutes[1]:.1f} for MiniGPT. The minutes in Compare are of "
        "whole trainings, which may have run on other machines. The sheet's times are of a GPU; none was measured."
    )


def hundred_back(records: Records) -> str:
    rnn, gpt = (claims.corruption_of(records, name) for name in ("rnn", "minigpt"))
    return (
        f"Replacing the character 100 back changes the vanilla network's prediction by {rnn.mean[99]:.0e} nats and "
        f"MiniGPT's by {gpt.mean[99]:.0e} (KL, mean over {rnn.positions:,} positions)."
    )


def no_grad(records: Records) -> str:
    rows = sorted(records.rows("no_grad"), key=lambda row: row["chars"])
    rounds = records.study["no_grad"]["settings"]["rounds"]
    slower = [row["times_slower"] for row in rows]
    return (
        f"Sampling takes {min(slower):.2f} to {max(slower):.2f} times as long without it, for {rows[0]['chars']:,} to "
        f"{rows[-1]['chars']:,} characters (median of {rounds})."
    )


def saturation(records: Records) -> str:
    """State the context that models use, and the losses with longer windows."""
    used = claims.context_used(records)
    losses = [
        f"in `{name}` "
        + ", ".join(
            f"{records.mean(f'{name}{end}')} with {length}{_steps(records, f'{name}{end}')}"
            for length, end in claims.SUFFIXES.items()
            if f"{name}{end}" in records.recipes
        )
        for name in ("rnn", "minigpt")
    ]
    named = ", ".join(f"{context} in `{name}`" for name, context in used.items())
    return (
        f"Characters of context after which more is worth less than 0.01 nats: {named} "
        f"({used['minigpt'].predictions:,} positions, 95 %). Held-out loss by length of the training windows: "
        f"{'; '.join(losses)} (nats)."
    )


def _steps(records: Records, name: str) -> str:
    """Format a run's number of updates; "" for 2,000, that of the bundled recipes."""
    steps = records.recipes[name][0]["step"]
    return "" if steps == 2000 else f" after {steps:,} steps"


def layer_norm(records: Records) -> str:
    """State the losses saved in the vanilla network, by window, and in the LSTM."""
    named = ", ".join(
        f"{signed((gain.low + gain.high) / 2).removeprefix('+')} ± {(gain.high - gain.low) / 2:.3f} with windows of "
        f"{length} characters ({claims.layer_norm_runs(records, length)})"
        for length, gain in claims.layer_norm_gains(records).items()
    )
    lstm = compared(records, "lstm-layernorm", "lstm", ("the LSTM with layer norm", "the LSTM"))
    return f"In the vanilla network layer norm makes the held-out loss lower by {named}, in nats (95 %). {lstm}"


def filters(records: Records) -> str:
    """Compare the filters at equal variety, over pairs of network and temperature."""
    gains = [gain for _, _, gain in claims.filter_gains(records)]
    settings = records.study["sampling"]["settings"]
    mean, interval = mean_interval(statistics.fmean(gains), standard_error(gains), len(gains))
    points = f"{signed(100 * mean, 2).removeprefix('+')} ± {100 * (interval.high - mean):.2f}"
    return (
        f"At the same temperature and the same share of distinct four-letter sequences, top-p writes "
        f"{points} points more real words than top-k ({len(gains)} pairs of network and temperature, "
        f"{settings['texts']} texts of {settings['chars']:,} characters for each filter, 95 %)."
    )


def compared(records: Records, name: str, other: str, titles: tuple[str, str]) -> str:
    """Compare two recipes: held-out losses, and the paired difference of two runs."""
    difference = _difference(records, other, name)
    better, worse = titles
    if difference.delta_bits < 0:
        difference, better, worse = _difference(records, name, other), worse, better
    nats = f"{records.mean(name)} and {records.mean(other)} nats on held-out text"
    return (
        f"{_capitalized(titles[0])} and {titles[1]}: {nats}. {_capitalized(better)} needs {_margin(difference)} bits "
        f"per character fewer than {worse} on the same {difference.characters:,} characters ({PAIRED})."
    )


def _capitalized(text: str) -> str:
    return text[0].upper() + text[1:]


def _complement(row: dict[str, Any]) -> dict[str, float]:
    return {**row["known_words"], "mean": 1 - row["known_words"]["mean"]}


def _margin(difference: GroupMean) -> str:
    margin = "" if difference.margin_bits is None else f" ± {difference.margin_bits:.3f}"
    return f"{difference.delta_bits:.3f}{margin}"


def _difference(records: Records, a: str, b: str) -> GroupMean:
    """Return how many bits per character A needs more than B on the held-out text."""
    return difference_by_kind(*(records.analysis(records.info(name), "bits") for name in (a, b)))[0]


def _profile_row(record: dict[str, Any], name: str) -> dict[str, Any]:
    (row,) = [row for row in record["rows"] if row["name"] == name]
    return row
