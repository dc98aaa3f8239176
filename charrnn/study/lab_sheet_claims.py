"""
Check the lab sheet's claims against the measurements.

A claim is open while what was measured does not decide it: while its 95 % interval, or for single runs the span of
seeds, reaches across the claim's limit, or while what it is about was not measured. The figure then names what would
decide it.
"""

import math
import statistics
from collections.abc import Callable
from typing import NamedTuple

from charrnn.gradient_flow import GradientFlow, flow_from_record
from charrnn.metrics import bits_per_char
from charrnn.study.load_records import Records
from charrnn.text_tables import kl

CONFIRMED, CORRECTED, PARTLY, OPEN = "confirmed", "corrected", "partly", "open"
NEAR = 0.05  # nats: largest difference from a loss of the sheet that confirms it
SEEDS = ("rnn", "rnn-seed1", "rnn-seed2")  # the same network and recipe


class Verdict(NamedTuple):
    """The verdict on a claim and the figure behind it."""

    verdict: str
    figure: str


def judged(holds: bool, figure: str) -> Verdict:
    """Return a verdict: confirmed if it holds, else corrected."""
    return Verdict(CONFIRMED if holds else CORRECTED, figure)


def initial_loss(records: Records) -> Verdict:
    first = {name: records.nats(name, "initial_loss_nats") for name in ("rnn-lab", "rnn", "lstm", "minigpt")}
    holds = all(abs(nats - math.log(65)) < 0.1 for nats in first.values())
    return judged(holds, ", ".join(f"{nats:.3f} (`{name}`)" for name, nats in first.items()) + "; ln 65 = 4.174")


def training_loss(records: Records) -> Verdict:
    train, val = records.nats("rnn-lab", "train_loss_nats"), records.nats("rnn-lab")
    figure = (
        f"its own recipe reaches {train:.3f} on what it trains on (perplexity {math.exp(train):.2f}) and {val:.3f} "
        f"({math.exp(val):.2f}) on held-out text; tuned, the same network {records.nats('rnn', 'train_loss_nats'):.3f} "
        f"and {records.nats('rnn'):.3f}"
    )
    return judged(1.5 <= train <= 1.7, figure)


def bits(records: Records) -> Verdict:
    train, val = (records.nats("rnn-lab", name) for name in ("train_loss_nats", "val_stream_nats"))
    figure = f"{bits_per_char(train):.2f} in training, {bits_per_char(val):.2f} on held-out text"
    return judged(_near(train, 2.3 * math.log(2)), figure)


def lstm_loss(records: Records) -> Verdict:
    train = records.nats("lstm", "train_loss_nats")
    figure = (
        f"{train:.3f} in training, part of the units dropped out; {records.nats('lstm'):.3f} on held-out text, "
        f"the GRU {records.nats('gru'):.3f}"
    )
    return judged(_near(train, 1.4), figure)


def minigpt_loss(records: Records) -> Verdict:
    train = records.nats("minigpt", "train_loss_nats")
    figure = f"{train:.3f} in training, {records.nats('minigpt'):.3f} on held-out text"
    return judged(_near(train, 1.32), figure)


def coherence(records: Records) -> Verdict:
    unknown = {}
    for model in ("rnn", "lstm", "minigpt", "held-out text"):
        plain = {} if model == "held-out text" else {"temperature": 0.8, "top_k": 0, "top_p": 1.0}
        unknown[model] = 1 - records.row("sampling", model=model, **plain)["known_words"]["mean"]
    shares = ", ".join(f"{share:.1%} (`{model}`)" for model, share in unknown.items() if model != "held-out text")
    figure = (
        f"words that do not occur in the training text, at T = 0.8: {shares}; {unknown['held-out text']:.1%} of "
        "held-out text's. That is spelling; readers who compare texts without their names would decide what they mean"
    )
    return Verdict(OPEN if unknown["minigpt"] < unknown["rnn"] else CORRECTED, figure)


def order(records: Records) -> Verdict:
    vanilla, lstm, gpt = (records.nats(name) for name in ("rnn", "lstm", "minigpt"))
    smaller = (
        "; in training too" if records.nats("lstm", "train_loss_nats") < records.nats("rnn", "train_loss_nats") else ""
    )
    return judged(gpt < lstm < vanilla, f"held out: {vanilla:.3f} vanilla, {lstm:.3f} LSTM, {gpt:.3f} MiniGPT{smaller}")


def wall_time(records: Records) -> Verdict:
    record = records.bench("profile")
    minutes = {row["name"]: 2000 * row["median_ms"] / 60_000 for row in record["rows"]}
    vanilla, ours, gpt = minutes["plain loop"], minutes["charrnn rnn"], minutes["MiniGPT"]
    cores = record["machine"]["threads"]
    figure = (
        f"2000 steps on {cores} processor cores: {vanilla:.1f} min with a plain loop, {ours:.1f} with BPTT by hand, "
        f"{gpt:.1f} MiniGPT. The sheet has a GPU; none was measured here"
    )
    return Verdict(CONFIRMED if gpt < vanilla / 2 else OPEN, figure)


def layer_norm(records: Records) -> Verdict:
    gains = {
        length: records.nats(plain) - records.nats(normed)
        for length, plain, normed in (
            (128, "rnn", "rnn-layernorm"),
            (256, "rnn-seq256", "rnn-layernorm-seq256"),
            (512, "rnn-seq512", "rnn-layernorm-seq512"),
        )
    }
    seeds = [records.nats(name) for name in SEEDS]
    noise = max(seeds) - min(seeds)
    lower = ", ".join(f"{gain:+.3f} at {length}" for length, gain in gains.items())
    figure = (
        f"held-out loss lower by {lower} characters of context, the vanilla cell with it, one run each; "
        f"{len(seeds)} seeds of one network span {noise:.3f}"
    )
    if abs(gains[512]) <= noise:
        return Verdict(OPEN, f"{figure}: three seeds of each would decide it")
    return judged(gains[512] > max(gains[128], 0), figure)


def saturation(records: Records) -> Verdict:
    used = {row["model"]: row["effective_context"] for row in records.rows("position")}
    pairs = [(name, used[name]) for name in ("rnn-seq512", "rnn-layernorm-seq512", "lstm", "minigpt", "minigpt-seq512")]
    figure = "characters of context, in powers of two, from which on more are worth less than 0.01 nats: "
    figure += ", ".join(f"{characters} (`{name}`)" for name, characters in pairs)
    figure += f"; `minigpt-seq512` after {records.runs['minigpt-seq512']['step']} steps"
    earlier = [used["rnn-seq512"] < used["minigpt-seq512"], used["lstm"] < used["minigpt"]]
    return Verdict(CONFIRMED if all(earlier) else PARTLY if any(earlier) else CORRECTED, figure)


def relu(records: Records) -> Verdict:
    free = {kind: records.rows("relu", activation=kind, max_grad_norm=0.0) for kind in ("tanh", "relu")}
    largest = {
        kind: statistics.median(max(filter(None, row["curve"]["largest_state"]), default=math.nan) for row in rows)
        for kind, rows in free.items()
    }
    diverged = sum(row["diverged_at"] is not None for row in free["relu"])
    figure = (
        f"without clipping {diverged} of {len(free['relu'])} ReLU runs end in NaN; the largest h in training is "
        f"{largest['relu']:.3g}, with tanh {largest['tanh']:.3g}; loss after {free['relu'][0]['steps']} steps "
        f"{_mean(free['relu'], 'last_loss_nats')}, with tanh {_mean(free['tanh'], 'last_loss_nats')}"
    )
    if diverged:
        return Verdict(CONFIRMED, figure)
    most = 1 - 0.025 ** (1 / len(free["relu"]))  # end of the exact 95 % interval of none in so many
    return Verdict(
        OPEN, f"{figure}. None of {len(free['relu'])} leaves a share of up to {most:.0%}, none of 36 of 10 %"
    )


def clipping(records: Records) -> Verdict:
    free = records.rows("clipping", learning_rate=1e-3, max_grad_norm=0.0)
    clipped = records.rows("clipping", learning_rate=1e-3, max_grad_norm=5.0)
    diverged = [row["diverged_at"] for row in free if row["diverged_at"] is not None]
    figure = (
        f"the sheet's recipe without clipping: {len(diverged)} of {len(free)} runs end in NaN; the largest gradient "
        f"norm is {max(row['largest_grad_norm'] for row in free):.2f}, so a threshold of 5 cuts "
        f"{statistics.mean(row['share_to_clip'] for row in free):.1%} of the steps; loss "
        f"{_mean(free, 'last_loss_nats')}, with clipping {_mean(clipped, 'last_loss_nats')}"
    )
    fast = records.rows("clipping", learning_rate=1e-2, max_grad_norm=0.0)
    fast_clipped = records.rows("clipping", learning_rate=1e-2, max_grad_norm=5.0)
    figure += (
        f". At ten times its learning rate norms reach {max(row['largest_grad_norm'] for row in fast):.3g} and the "
        f"loss is {_mean(fast, 'last_loss_nats')}, with clipping {_mean(fast_clipped, 'last_loss_nats')}"
    )
    return judged(bool(diverged), figure)


def no_grad(records: Records) -> Verdict:
    rows = sorted(records.rows("no_grad"), key=lambda row: row["chars"])
    times = ", ".join(f"{row['times_slower']:.2f} × ({row['chars']:,} characters)" for row in rows)
    grows = rows[-1]["without_bytes_per_char"] / 1024
    figure = f"{times}; without it the process grows by {grows:.1f} KiB a character"
    return judged(2 <= statistics.median(row["times_slower"] for row in rows) <= 3, figure)


def loop(records: Records) -> Verdict:
    rows = {row["name"]: row for row in records.bench("profile")["rows"]}
    plain, ours = rows["plain loop"], rows["charrnn rnn"]
    figure = (
        f"{plain['loop_share']:.0%} of a step of the plain loop is the loop over T and its way back; by hand the whole "
        f"step takes {ours['median_ms'] / plain['median_ms']:.2f} of the time, {ours['loop_share']:.0%} of it in the "
        "loop; MiniGPT has none"
    )
    return judged(plain["loop_share"] > 0.5, figure)


def hundred_back(records: Records) -> Verdict:
    row, gpt = records.row("reach", model="rnn"), records.row("reach", model="minigpt")
    lag, flow = row["lags"].index(100), _flow(records, "rnn")
    figure = (
        "another character 100 back moves the vanilla net's prediction by "
        f"{kl(row['kl_mean_nats'][lag])} nats, MiniGPT's by {kl(gpt['kl_mean_nats'][lag])}; the gradient that comes "
        f"back from there is {flow.median[100]:.0e} of what it was"
    )
    return judged(row["kl_mean_nats"][lag] < 0.01, figure)


def fifty_steps(records: Records) -> Verdict:
    flows = {name: _flow(records, name) for name in ("rnn", "lstm")}
    figure = "; ".join(
        f"`{name}`: half of the gradient is gone after {flow.describe_half_life()} characters, 99 % after "
        f"{flow.describe_horizon()}"
        for name, flow in flows.items()
    )
    horizon = flows["rnn"].horizon_interval
    figure += "; in brackets 95 % intervals"
    if horizon is None or horizon.low < 35 <= horizon.high or horizon.low <= 70 < horizon.high:
        return Verdict(OPEN, figure)
    return judged(35 <= horizon.low and horizon.high <= 70, figure)


def _flow(records: Records, name: str) -> GradientFlow:
    (info,) = [info for info in records.bundled if info.name == name]
    return flow_from_record(records.analysis(info, "gradient"))


def temperature(records: Records) -> Verdict:
    cold, warm, hot = (records.row("sampling", model="rnn", temperature=t, top_k=0, top_p=1.0) for t in (0.5, 0.8, 1.2))
    figure = "; ".join(
        f"T = {row['temperature']}: {row['known_words']['mean']:.1%} known words, "
        f"{row['distinct_4grams']['mean']:.0%} of 4-grams distinct"
        for row in (cold, warm, hot)
    )
    wild, varied = (hot[key]["mean"] - cold[key]["mean"] for key in ("known_words", "distinct_4grams"))
    return judged(wild < 0 < varied, figure)


def filters(records: Records) -> Verdict:
    """Answer a question of the sheet; the answer is the verdict."""
    better = both = cases = 0
    for model in ("rnn", "lstm", "minigpt"):
        for t in (0.8, 1.0, 1.2):
            rows = records.rows("sampling", model=model, temperature=t)
            k, p = (
                max((row for row in rows if filtered(row)), key=lambda row: row["known_words"]["mean"])
                for filtered in (lambda row: row["top_k"] > 0, lambda row: row["top_p"] < 1)
            )
            gain, varied = (p[key]["mean"] - k[key]["mean"] for key in ("known_words", "distinct_4grams"))
            cases, better, both = cases + 1, better + (gain > 0), both + (gain > 0 and varied >= 0)
    figure = (
        f"of {cases} pairs of network and temperature the best top-p writes more known words than the best top-k in "
        f"{better}, in {both} of them with no fewer distinct 4-grams"
    )
    return Verdict("top-p" if better > cases / 2 else "top-k", figure)


def _near(nats: float, expected: float) -> bool:
    """Return whether a loss is within NEAR of the sheet's."""
    return abs(nats - expected) <= NEAR


def _mean(rows: list, key: str) -> str:
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
