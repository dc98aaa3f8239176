"""
Check the lab sheet's claims against the measurements, by one rule.

A claim says in which range a figure lies; the figure has a 95 % interval. The claim is confirmed if the whole interval
is within the range, corrected if it is outside, and open otherwise; the figure of an open claim names what would decide
it. A claim of several figures is confirmed or corrected if all of them are, open if one is open, else partly confirmed.

Intervals are of seeds (losses), runs (shares of runs), positions or texts (analyses), or rounds (times).
"""

import math
import statistics
from collections.abc import Callable, Sequence
from itertools import product
from typing import Any, NamedTuple

from charrnn.analysis_record import AnalysisRecord
from charrnn.bootstrap import Interval, interval_from_record, share_interval, with_interval
from charrnn.context_use import MAX_CHARS, NEGLIGIBLE_NATS, Corruption, describe_length, memory_from_record
from charrnn.gradient_flow import GradientFlow, flow_from_record
from charrnn.metrics import bits_per_char
from charrnn.number_format import percent
from charrnn.seed_means import counted
from charrnn.study.estimates import difference_of_means, mean_interval, share_with_margin, standard_error
from charrnn.study.stored_records import Records
from charrnn.text_tables import format_kl

CONFIRMED, CORRECTED, PARTLY, OPEN = "confirmed", "corrected", "partly", "open"
NEAR = 0.05  # nats: half the range of "about" a loss
POSITIVE = Interval(0, math.inf)
MOST = Interval(0.5, 1)  # of runs or of time
SUFFIXES = {128: "", 256: "-seq256", 512: "-seq512"}  # of recipes' names, by length of the windows
RECURRENT, TRANSFORMERS = ("rnn", "rnn-seq512", "lstm", "lstm-layernorm"), ("minigpt", "minigpt-seq512")


class Verdict(NamedTuple):
    """The verdict on a claim, the figure behind it, and what would decide an open one."""

    verdict: str
    figure: str
    needed: str = ""


def judged(
    figure: str,
    *checks: tuple[Interval | None, Interval],
    needed: str = "more seeds",
    samples: int = 0,
    unit: str = "seeds a recipe",
) -> Verdict:
    """
    Apply the rule to pairs of a figure's interval, if any, and the claimed range.

    needed: what would decide an open claim, appended to its figure. samples: number that the intervals are over, in
    `unit`; if given, the number that would decide the claim takes the place of `needed`.
    """
    found = {_check(interval, claimed) for interval, claimed in checks}
    if OPEN in found:
        times = max(_times_more(interval, claimed) for interval, claimed in checks)
        if samples and math.isfinite(times):
            needed = f"about {math.ceil(samples * times):,} {unit}"
        return Verdict(OPEN, f"{figure}; {needed} would decide it", needed)
    return Verdict(found.pop() if len(found) == 1 else PARTLY, figure)


def _check(interval: Interval | None, claimed: Interval) -> str:
    if interval is not None and claimed.low <= interval.low and interval.high <= claimed.high:
        return CONFIRMED
    return CORRECTED if interval and (interval.high < claimed.low or interval.low > claimed.high) else OPEN


def _times_more(interval: Interval | None, claimed: Interval) -> float:
    """
    Return how many times as many samples would decide a check.

    The interval is assumed to keep its middle and to shrink with the root of their number.
    """
    if interval is None:
        return math.inf
    if _check(interval, claimed) != OPEN:
        return 1
    middle, margin = (interval.low + interval.high) / 2, (interval.high - interval.low) / 2
    distance = min(abs(middle - end) for end in claimed)
    return (margin / distance) ** 2 if distance else math.inf


def about(nats: float) -> Interval:
    """Return the range of "about" a loss."""
    return Interval(nats - NEAR, nats + NEAR)


def initial_loss(records: Records) -> Verdict:
    values = [run["metrics"]["initial_loss_nats"] for run in records.runs.values()]
    middle, interval = mean_interval(statistics.fmean(values), standard_error(values), len(values))
    figure = f"{middle:.3f} {_range(interval)}, the mean of {len(values)} runs of {len(records.recipes)} recipes"
    return judged(f"{figure}; ln 65 = {math.log(65):.3f}", (interval, about(math.log(65))))


def training_loss(records: Records) -> Verdict:
    train = records.mean("rnn-lab", "train_loss_nats")
    figure = (
        f"its own recipe reaches {train} on what it trains on (perplexity {math.exp(train.value):.2f}) and "
        f"{records.mean('rnn-lab')} on held-out text; tuned, the same network {records.mean('rnn', 'train_loss_nats')} "
        f"and {records.mean('rnn')}"
    )
    return judged(figure, (train.interval, Interval(1.5, 1.7)))


def bits(records: Records) -> Verdict:
    train, val = records.mean("rnn-lab", "train_loss_nats"), records.mean("rnn-lab")
    ends = (bits_per_char(end) for end in train.interval)
    figure = (
        f"{bits_per_char(train.value):.2f} {_range(Interval(*ends), 2)} in training, {bits_per_char(val.value):.2f} on "
        f"held-out text ({counted(train.runs)})"
    )
    return judged(figure, (train.interval, about(2.3 * math.log(2))))


def lstm_loss(records: Records) -> Verdict:
    train = records.mean("lstm", "train_loss_nats")
    figure = (
        f"{train} in training, part of the units dropped out; {records.mean('lstm')} on held-out text, the GRU "
        f"{records.mean('gru')}"
    )
    return judged(figure, (train.interval, about(1.4)), samples=train.runs)


def minigpt_loss(records: Records) -> Verdict:
    train = records.mean("minigpt", "train_loss_nats")
    figure = f"{train} in training, {records.mean('minigpt')} on held-out text"
    return judged(figure, (train.interval, about(1.32)), samples=train.runs)


def coherence(records: Records) -> Verdict:
    known = {
        model: records.row("sampling", model=model, temperature=0.8, top_k=0, top_p=1.0)["known_words"]
        for model in ("rnn", "lstm", "minigpt")
    }
    shares = ", ".join(f"{percent(1 - share['mean'], 1)} (`{model}`)" for model, share in known.items())
    human = records.row("sampling", model="held-out text")["known_words"]
    figure = (
        f"words that do not occur in the training text, at T = 0.8: {shares}; {percent(1 - human['mean'], 1)} of "
        "held-out text's. That is spelling"
    )
    return judged(figure, (None, POSITIVE), needed="readers who compare texts without their names")


def order(records: Records) -> Verdict:
    vanilla, lstm, gpt = (records.mean(name) for name in ("rnn", "lstm", "minigpt"))
    figure = f"held out: {vanilla} vanilla, {lstm} LSTM, {gpt} MiniGPT"
    return judged(figure, (vanilla.minus(lstm), POSITIVE), (vanilla.minus(gpt), POSITIVE))


def wall_time(records: Records) -> Verdict:
    record = records.bench("profile")
    minutes = {row["name"]: 2000 * row["median_ms"] / 60_000 for row in record["rows"]}
    vanilla, ours, gpt = minutes["plain loop"], minutes["charrnn rnn"], minutes["MiniGPT"]
    figure = (
        f"2000 steps on {record['machine']['threads']} processor cores: {vanilla:.1f} min with a plain loop, "
        f"{ours:.1f} with BPTT by hand, {gpt:.1f} MiniGPT. The sheet has a GPU"
    )
    return judged(figure, (None, Interval(0, 0.5)), needed="a machine with a GPU")


def layer_norm(records: Records) -> Verdict:
    gains = layer_norm_gains(records)
    shown = [f"{(gain.low + gain.high) / 2:.3f} {_range(gain)} at {length}" for length, gain in gains.items()]
    runs = min(records.mean(f"rnn{kind}-seq{length}").runs for kind in ("", "-layernorm") for length in (256, 512))
    lower = f"held-out loss lower by {', '.join(shown)} characters of context with it"
    figure = f"{lower}, runs of each recipe: {runs} or more"
    return judged(figure, *((gain, POSITIVE) for length, gain in gains.items() if length > 128), samples=runs)


def layer_norm_gains(records: Records) -> dict[int, Interval]:
    """Return the interval of the loss that layer norm saves, by length of the windows."""
    return {
        length: records.mean(f"rnn{suffix}").minus(records.mean(f"rnn-layernorm{suffix}"))
        for length, suffix in SUFFIXES.items()
    }


def layer_norm_runs(records: Records, length: int) -> str:
    """Format the numbers of runs with and without layer norm."""
    with_norm, without = (len(records.losses(f"{name}{SUFFIXES[length]}")) for name in ("rnn-layernorm", "rnn"))
    return f"{counted(with_norm)} with it, {without} without"


class EffectiveContext(NamedTuple):
    """Characters of context from which on more are worth less than 0.01 nats, of up to 256."""

    chars: int
    interval: Interval | None
    predictions: int

    def __str__(self) -> str:
        return describe_length(self.chars, MAX_CHARS, self.interval)


def saturation(records: Records) -> Verdict:
    used = context_used(records)
    shown = [f"{context} (`{name}`)" for name, context in used.items()]
    pairs = list(product(TRANSFORMERS, RECURRENT))
    longer = [_longer(used[name].interval, used[other].interval) for name, other in pairs]
    undecided = [pair for pair, difference in zip(pairs, longer, strict=True) if _check(difference, POSITIVE) == OPEN]
    figure = f"characters of context from which on more are worth less than 0.01 nats: {', '.join(shown)}"
    if undecided:
        figure += f". Not decided: {', '.join(f'`{name}` against `{other}`' for name, other in undecided)}"
    predictions = min(context.predictions for context in used.values())
    return judged(figure, *((difference, POSITIVE) for difference in longer), samples=predictions, unit="positions")


def _longer(context: Interval | None, other: Interval | None) -> Interval | None:
    """Return the interval of the difference of two effective contexts."""
    return Interval(context.low - other.high, context.high - other.low) if context and other else None


def context_used(records: Records) -> dict[str, EffectiveContext]:
    """Return the effective context of recurrent networks and Transformers, by name."""

    def restored(record: AnalysisRecord) -> EffectiveContext:
        chars, predictions = int(record.number("ecl_chars")), int(record.number("predictions"))
        return EffectiveContext(chars, interval_from_record(record, "ecl"), predictions)

    return {name: restored(records.memory(name)) for name in (*RECURRENT, *TRANSFORMERS)}


def relu(records: Records) -> Verdict:
    free = {kind: records.rows("relu", activation=kind, max_grad_norm=0.0) for kind in ("tanh", "relu")}
    largest = {
        kind: statistics.median(max(filter(None, row["curve"]["largest_state"]), default=math.nan) for row in rows)
        for kind, rows in free.items()
    }
    share, runs = diverged(free["relu"])
    figure = (
        f"without clipping {runs} with ReLU end in NaN; the largest h in training is {largest['relu']:.3g}, with tanh "
        f"{largest['tanh']:.3g}; loss after {free['relu'][0]['steps']} steps {_mean(free['relu'], 'last_loss_nats')}, "
        f"with tanh {_mean(free['tanh'], 'last_loss_nats')}"
    )
    return judged(figure, (share, MOST), needed="more runs")


def clipping(records: Records) -> Verdict:
    free = records.rows("clipping", learning_rate=1e-3, max_grad_norm=0.0)
    clipped = records.rows("clipping", learning_rate=1e-3, max_grad_norm=5.0)
    share, runs = diverged(records.rows("clipping", max_grad_norm=0.0))
    figure = (
        f"without clipping {runs} at one, three and ten times the sheet's learning rate end in NaN; with its own "
        f"the largest gradient norm is {max(row['largest_grad_norm'] for row in free):.2f}, so a threshold of 5 cuts "
        f"{percent(statistics.mean(row['share_to_clip'] for row in free), 1)} of the steps; loss "
        f"{_mean(free, 'last_loss_nats')}, with clipping {_mean(clipped, 'last_loss_nats')}"
    )
    return judged(figure, (share, MOST), needed="more runs")


def diverged(rows: Sequence[dict[str, Any]]) -> tuple[Interval, str]:
    """Return the interval of the share of runs that end in NaN, and its description."""
    count = sum(row["diverged_at"] is not None for row in rows)
    share = share_interval(count, len(rows))
    return share, f"{count} of {counted(len(rows))} (95 %: {percent(share.low)} to {percent(share.high)})"


def no_grad(records: Records) -> Verdict:
    rows = sorted(records.rows("no_grad"), key=lambda row: row["chars"])
    ratios = [_stored_interval(row, "times_slower") for row in rows]
    times = ", ".join(
        with_interval(f"{row['times_slower']:.2f} ×", ratio, "{:.2f}".format) + f" for {row['chars']:,} characters"
        for row, ratio in zip(rows, ratios, strict=True)
    )
    grows = rows[-1]["without_bytes_per_char"] / 1024
    figure = f"{times}; without it the process grows by {grows:.1f} KiB a character"
    return judged(figure, *((ratio, Interval(2, 3)) for ratio in ratios), needed=_rounds(ratios))


def loop(records: Records) -> Verdict:
    rows = {row["name"]: row for row in records.bench("profile")["rows"]}
    plain, ours = rows["plain loop"], rows["charrnn rnn"]
    share, loop_share = _stored_interval(plain, "loop_share"), percent(plain["loop_share"])
    figure = (
        f"{with_interval(loop_share, share, percent)} of a step of the plain loop is the loop "
        f"over T and its way back; by hand the whole step takes {ours['median_ms'] / plain['median_ms']:.2f} of the "
        f"time, {percent(ours['loop_share'])} of it in the loop; MiniGPT has none"
    )
    return judged(figure, (share, MOST), needed=_rounds([share]))


def hundred_back(records: Records) -> Verdict:
    rnn, gpt = (corruption_of(records, name) for name in ("rnn", "minigpt"))
    felt = describe_length(rnn.felt_chars, len(rnn.mean), rnn.felt_interval)
    figure = (
        f"another character moves the vanilla net's prediction by more than {NEGLIGIBLE_NATS} nats for {felt} "
        f"characters (median); 100 back it moves it by {format_kl(rnn.mean[99])} nats, MiniGPT's by "
        f"{format_kl(gpt.mean[99])} (means over {rnn.positions:,} positions); the gradient that comes back from there "
        f"is {gradient_of(records, 'rnn').median[100]:.0e} of what it was"
    )
    return judged(figure, (rnn.felt_interval, Interval(0, 99)), needed="more positions")


def fifty_steps(records: Records) -> Verdict:
    flows = {name: gradient_of(records, name) for name in ("rnn", "lstm")}
    figure = "; ".join(
        f"`{name}`: half of the gradient is gone after {flow.describe_half_life()} characters, 99 % after "
        f"{flow.describe_horizon()}"
        for name, flow in flows.items()
    )
    return judged(
        f"{figure}; in brackets 95 % intervals",
        (flows["rnn"].horizon_interval, Interval(35, 70)),
        needed="more positions",
    )


def corruption_of(records: Records, name: str) -> Corruption:
    """Return the stored influence of replaced characters in a bundled checkpoint."""
    return memory_from_record(records.analysis(records.info(name), "memory")).corruption


def gradient_of(records: Records, name: str) -> GradientFlow:
    """Return the stored gradient flow of a bundled checkpoint."""
    return flow_from_record(records.analysis(records.info(name), "gradient"))


def temperature(records: Records) -> Verdict:
    rows = [records.row("sampling", model="rnn", temperature=t, top_k=0, top_p=1.0) for t in (0.5, 0.8, 1.2)]
    texts = records.study["sampling"]["settings"]["texts"]
    figure = "; ".join(
        f"T = {row['temperature']}: {share_with_margin(row['known_words'], texts)} known words, "
        f"{share_with_margin(row['distinct_4grams'], texts)} of 4-grams distinct"
        for row in rows
    )
    cold, _, hot = rows
    fewer, varied = (
        difference_of_means(first[key], second[key], texts)[1]
        for first, second, key in ((cold, hot, "known_words"), (hot, cold, "distinct_4grams"))
    )
    return judged(f"{figure}; {texts} texts each", (fewer, POSITIVE), (varied, POSITIVE), needed="more texts")


def filters(records: Records) -> Verdict:
    """Answer a question of the sheet; the answer is the verdict."""
    gains = [gain for _, _, gain in filter_gains(records)]
    middle, interval = mean_interval(statistics.fmean(gains), standard_error(gains), len(gains))
    figure = (
        f"at the same temperature and the same share of distinct 4-grams top-p writes {middle:+.2%} "
        f"({interval.low:+.2%} to {interval.high:+.2%}) more known words than top-k: {len(gains)} pairs of network and "
        f"temperature, {min(gains):+.2%} to {max(gains):+.2%}"
    )
    verdict = judged(figure, (interval, POSITIVE), needed="more texts")
    return verdict._replace(verdict={CONFIRMED: "top-p", CORRECTED: "top-k"}.get(verdict.verdict, OPEN))


def filter_gains(records: Records) -> list[tuple[str, float, float]]:
    """
    Return the gains of top-p over top-k in known words, at equal variety.

    As (network, temperature, gain). Filters differ in how much they cut, so each top-k is compared with the top-p that
    leaves as many distinct 4-grams, interpolated between two measured ones; those outside of that range are left out.
    Mean over the values of k.
    """
    found = []
    for model in ("rnn", "lstm", "minigpt"):
        for t in (0.8, 1.0, 1.2):
            rows = records.rows("sampling", model=model, temperature=t)
            nucleus = sorted(
                (row["distinct_4grams"]["mean"], row["known_words"]["mean"]) for row in rows if not row["top_k"]
            )
            gains = [
                expected - row["known_words"]["mean"]
                for row in rows
                if row["top_k"] and (expected := interpolated(nucleus, row["distinct_4grams"]["mean"])) is not None
            ]
            if gains:
                found.append((model, t, statistics.fmean(gains)))
    return found


def interpolated(points: Sequence[tuple[float, float]], x: float) -> float | None:
    """Interpolate linearly between points sorted by x; None outside."""
    for (x0, y0), (x1, y1) in zip(points, points[1:], strict=False):
        if x0 <= x <= x1:
            return y0 if x0 == x1 else y0 + (y1 - y0) * (x - x0) / (x1 - x0)
    return None


def _rounds(intervals: Sequence[Interval | None]) -> str:
    """Return what would decide a claim on times with these stored intervals."""
    return "more rounds" if all(intervals) else "the same measurement with its intervals stored"


def _stored_interval(row: dict[str, Any], name: str) -> Interval | None:
    """Return the interval in a row; None for one without."""
    return Interval(row[f"{name}_low"], row[f"{name}_high"]) if f"{name}_low" in row else None


def _range(interval: Interval, digits: int = 3) -> str:
    return interval.describe(lambda end: f"{end:.{digits}f}")


def _mean(rows: Sequence[dict[str, Any]], key: str) -> str:
    values = [row[key] for row in rows if row[key] is not None]
    return f"{statistics.mean(values):.3f}" if values else "not a number"


CLAIMS: list[tuple[str, str, Callable[[Records], Verdict]]] = [
    ("6", "The initial loss is about ln 65 = 4.17", initial_loss),
    (
        "6",
        "After 2000 steps the loss is 1.5 to 1.7, the perplexity 4.5 to 5.5; a vanilla net can't go much lower",
        training_loss,
    ),
    ("6", "Bits per character are about 2.3", bits),
    ("6, 9", "An LSTM reaches about 1.4", lstm_loss),
    ("7", "MiniGPT, 6 layers, d = 128: 1.32", minigpt_loss),
    ("7", "MiniGPT looks much more coherent", coherence),
    ("6, 7", "LSTM and Transformer end below the vanilla net", order),
    ("7", "MiniGPT trains in a third of the time", wall_time),
    ("9", "Layer norm stabilises training with a longer context", layer_norm),
    ("9", "With a longer context the recurrent loss saturates earlier than the Transformer's", saturation),
    ("2", "ReLU in the place of tanh is unstable", relu),
    ("5, 8", "Clipping is non-optional; without it NaN around step 500", clipping),
    ("8", "Forgetting `no_grad` makes sampling 2 to 3 times slower", no_grad),
    ("3, 9", "The loop over T dominates the time", loop),
    ("7", "A character 100 back contributes about nothing", hundred_back),
    ("0", "Gradients vanish past about 50 steps", fifty_steps),
    ("9", "Top-k or top-p: which writes better at the same temperature?", filters),
    ("4", "T < 1 repeats itself more, T > 1 writes more nonsense", temperature),
]
