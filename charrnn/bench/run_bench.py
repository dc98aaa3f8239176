"""
Speed of the hand-written networks against a plain loop and torch.nn.

    python scripts/bench.py train         one whole training step: forward, backward, clipping, optimiser
    python scripts/bench.py profile       time per part of such a step, and cost by window length
    python scripts/bench.py sample        characters per second on one core
    python scripts/bench.py gradients     the gradient-flow curve of a network
    python scripts/bench.py engine        the page's engine beside the Python decoder (charrnn/bench/engine.py)
    python scripts/bench.py page          the page in a real browser (charrnn/bench/page_speed.py)
    python scripts/bench.py load          many pages at once (charrnn/bench/server_load.py)

Machines differ and are noisy, so results are ratios of medians over interleaved runs. `--json` prints a record.
Nothing is asserted.
"""

import argparse
import json
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from charrnn.bench import profile as bench_profile
from charrnn.bench.result_tables import OURS, UNITS, shown
from charrnn.cells import CELLS
from charrnn.flag_types import COUNT, THREADS, WIDTH, WINDOW
from charrnn.gradient_flow import gradient_flow
from charrnn.matrix_products import product, product_over_rows, repeated_product
from charrnn.model import CharRNN
from charrnn.profiling import VOCAB_SIZE, interleave, machine, plain_training, synthetic_corpus
from charrnn.sampling import SamplingSettings, UniformStream, generate
from charrnn.text_tables import columns
from charrnn.torch_reference import PlainCharRNN, TorchCharRNN, gradient_norms_by_autograd
from charrnn.training import Recipe, Training

LENGTHS = "window lengths for the cost of a longer window (default %(default)s)"
Row = dict[str, Any]  # results of one variant by name; None for a figure that does not apply


def rows(times_ms: dict[str, list[float]], figures: Callable[[str, Mapping[str, float]], dict[str, Any]]) -> list[Row]:
    """Return a row per variant; `figures` derives its figures from all medians."""
    medians = {name: statistics.median(times) for name, times in times_ms.items()}
    return [
        {"name": name, "median_ms": median, "fastest_ms": min(times_ms[name]), **figures(name, medians)}
        for name, median in medians.items()
    ]


def bench_train(options: argparse.Namespace) -> list[Row]:
    """Time a training step of each cell against its references."""
    recipe = Recipe(batch=options.batch, seq_len=options.seq_len, hidden_dim=options.hidden_dim)
    corpus = synthetic_corpus()
    steps: dict[str, Callable[[], Any]] = {}
    cell_of: dict[str, str] = {}
    for cell in CELLS:
        training = Training(corpus, replace(recipe, cell=cell), device=options.device)
        normed = Training(corpus, replace(recipe, cell=cell, layer_norm=True), device=options.device)
        model = training.model
        assert isinstance(model, CharRNN)
        others = {f"torch.nn.{cell.upper()}": TorchCharRNN(VOCAB_SIZE, recipe.hidden_dim, cell)}
        if cell == "rnn":
            others = {"plain loop": PlainCharRNN(VOCAB_SIZE, recipe.hidden_dim)} | others
        steps |= {
            name: plain_training(network.copy_weights(model), training).advance for name, network in others.items()
        }
        steps |= {f"matrix products of {cell}": matrix_products(recipe, CELLS[cell].gates)}
        steps |= {f"the same by torch.mm, {cell}": matrix_products(recipe, CELLS[cell].gates, onednn=False)}
        steps |= {f"{OURS} {cell}": training.advance, f"{OURS} {cell}, layer norm": normed.advance}
        cell_of |= {name: cell for name in steps if name not in cell_of}
    times_ms = interleave(steps, options.rounds)

    def figures(name: str, medians: Mapping[str, float]) -> dict[str, Any]:
        ours, this = medians[f"{OURS} {cell_of[name]}"], medians[name]
        # The necessary matrix products: recurrent and head, forward and twice backward.
        rows_of_products = CELLS[cell_of[name]].gates * recipe.hidden_dim + VOCAB_SIZE
        needed = 6 * recipe.batch * recipe.seq_len * recipe.hidden_dim * rows_of_products
        normed = name.endswith("layer norm")
        return {
            "ours_over_this": None if normed else ours / this,
            "this_over_ours": this / ours if normed else None,
            "gflops": needed / this / 1e6,
            "minutes_2000_steps": 2000 * this / 60_000,
        }

    return rows(times_ms, figures)


def matrix_products(recipe: Recipe, gates: int, onednn: bool = True) -> Callable[[], tuple[Tensor, ...]]:
    """
    Return a function that computes a training step's matrix products alone.

    Per character: the recurrent product, forward and backward. Once per step: the gradient of W_hh, and the head.
    """
    B, T, H = recipe.batch, recipe.seq_len, recipe.hidden_dim
    h, d_h, W_hh = torch.randn(T * B, H), torch.randn(T * B, gates * H), torch.randn(gates * H, H)
    head, d_logits = torch.randn(VOCAB_SIZE, H), torch.randn(T * B, VOCAB_SIZE)
    W_hh_T = W_hh.t().contiguous()
    multiply, over_rows, times_W_hh, times_W_hh_T = (
        (product, product_over_rows, repeated_product(W_hh, B), repeated_product(W_hh_T, B))
        if onednn
        else (lambda x, W: x @ W.t(), lambda a, b: a.t() @ b, lambda x: x @ W_hh_T, lambda x: x @ W_hh)
    )

    def run() -> tuple[Tensor, ...]:
        for state, d_gates in zip(h.split(B), d_h.split(B), strict=True):
            times_W_hh(state)
            times_W_hh_T(d_gates)
        return over_rows(d_h, h), multiply(h, head), multiply(d_logits, head.t()), over_rows(d_logits, h)

    return run


def bench_sample(options: argparse.Namespace) -> list[Row]:
    """Time sampled text against a plain loop."""
    model = CharRNN(VOCAB_SIZE, options.hidden_dim).eval()
    plain = PlainCharRNN(VOCAB_SIZE, options.hidden_dim).copy_weights(model).eval()
    settings = SamplingSettings(temperature=0.8, top_k=40, top_p=0.95)
    prompt = list(range(6))

    def sample_ours() -> list[Any]:
        decoder = model.decoder()
        steps = generate(decoder, decoder.prefill(prompt), options.chars, settings, UniformStream(0))
        return [step.output.activations["h"] for step in steps]  # stored, as for the heatmap

    def sample_plain_loop() -> Tensor:
        return plain.sample(torch.tensor([prompt]), options.chars, settings.temperature)

    def figures(name: str, medians: Mapping[str, float]) -> dict[str, Any]:
        return {
            "ours_over_this": medians[OURS] / medians[name],
            "chars_per_second": 1000 * options.chars / medians[name],
        }

    return rows(interleave({"plain loop": sample_plain_loop, OURS: sample_ours}, options.rounds), figures)


def bench_gradients(options: argparse.Namespace) -> list[Row]:
    """Time the gradient-flow curve against autograd."""
    model = CharRNN(VOCAB_SIZE, options.hidden_dim).double().eval()
    ids = synthetic_corpus().train_ids[: options.positions * (options.lags + 2)]
    few, windows = ids[: options.lags + 4 * options.positions].tolist(), ids.view(options.positions, -1)
    times_ms = interleave(
        {
            "autograd, states retained": lambda: gradient_norms_by_autograd(model, windows),
            OURS: lambda: gradient_flow(model, few, max_lag=options.lags, positions=options.positions),
        },
        options.rounds,
    )
    return rows(times_ms, lambda name, medians: {"ours_over_this": medians[OURS] / medians[name]})


def table(rows: Sequence[Row]) -> str:
    """Format the rows as aligned columns."""
    keys = [key for key in UNITS if key in rows[0]]
    return columns(["", *(UNITS[key][0] for key in keys)], [shown(row, keys) for row in rows])


def parser() -> argparse.ArgumentParser:
    """Return the parser of all verbs."""
    whole = argparse.ArgumentParser(description="Measure the networks against a plain loop and against torch.nn.")
    verbs = whole.add_subparsers(dest="verb", required=True)
    train = verbs.add_parser("train", help="one whole training step")
    train.add_argument("--device", default="cpu", help="where to train: cpu, cuda (default cpu)")
    profile = verbs.add_parser("profile", help="time per part of a training step")
    profile.add_argument("--lengths", type=WINDOW, nargs="+", default=bench_profile.LENGTHS, metavar="T", help=LENGTHS)
    for verb in (train, profile):
        verb.add_argument("--batch", type=WINDOW, default=64, help="windows per step (default 64)")
        verb.add_argument("--seq-len", type=WINDOW, default=128, help="characters per window (default 128)")
    sample = verbs.add_parser("sample", help="characters per second on one core")
    sample.add_argument("--chars", type=COUNT, default=500, help="characters per run (default 500)")
    gradients = verbs.add_parser("gradients", help="the gradient-flow curve")
    gradients.add_argument("--positions", type=COUNT, default=512, help="text positions (default 512)")
    gradients.add_argument("--lags", type=WINDOW, default=128, help="characters back (default 128)")
    for verb, rounds, threads in ((train, 15, None), (profile, 9, None), (sample, 15, 1), (gradients, 5, None)):
        verb.add_argument("--hidden-dim", type=WIDTH, default=256, help="hidden units (default 256)")
        verb.add_argument("--rounds", type=COUNT, default=rounds, help=f"runs of each variant (default {rounds})")
        verb.add_argument("--threads", type=THREADS, default=threads, help=f"CPU threads (default {threads or 'all'})")
        verb.add_argument("--json", action="store_true", help="print the figures as JSON")
    verbs.add_parser("engine", help="the page's engine beside Python; `engine --help` lists its flags")
    verbs.add_parser("page", help="the page in a real browser; `page --help` lists its flags")
    verbs.add_parser("load", help="many pages at once; `load --help` lists its flags")
    return whole


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a benchmark, print its figures and return the exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments[:1] in (["engine"], ["page"], ["load"]):
        from charrnn.bench import engine, page_speed, server_load  # these import Playwright

        return {"engine": engine, "page": page_speed, "load": server_load}[arguments[0]].main(arguments[1:])
    options = parser().parse_args(arguments)
    if options.threads:
        torch.set_num_threads(options.threads)
    settings = {key: value for key, value in vars(options).items() if key not in ("json", "threads")}
    record = settings | {"machine": machine(settings.get("device", "cpu"))}
    if options.verb == "profile":
        record |= bench_profile.measure(options)
        text = bench_profile.tables(record)
    else:
        bench = {"train": bench_train, "sample": bench_sample, "gradients": bench_gradients}[options.verb]
        measured = bench(options)
        record |= {"rows": measured}
        text = table(measured)
    if options.json:
        print(json.dumps(record, indent=1))
    else:
        print(", ".join(f"{key} {value}" for key, value in record["machine"].items()))
        print(text)
    return 0
