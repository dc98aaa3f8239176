"""
How fast the hand-written network is, against the plain loop of the lab sheet and against torch.nn.

    python scripts/bench.py train         one whole training step: forward, backward, clipping, optimiser
    python scripts/bench.py sample        characters per second on one core
    python scripts/bench.py gradients     the gradient-flow curve of one checkpoint
    python scripts/bench.py page          the page in a real browser (scripts/bench_page.py)

Machines differ and are noisy, so every figure that counts is a ratio of medians, the contestants taking turns in one
run. `--json` prints the figures for machines. Nothing is asserted: a person judges.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from charrnn.corpus import Corpus, random_windows
from charrnn.gradient_flow import gradient_flow
from charrnn.model import CharRNN
from charrnn.sampling import Dice, SamplingSettings, generate
from charrnn.training import Recipe, Training

VOCAB_SIZE = 65  # Tiny Shakespeare's
OURS = "charrnn"


# ------------------------------------------------------------------------------------------------ the others


class PlainCell(nn.Module):
    """One step as two linear layers."""

    def __init__(self, in_dim: int, hidden_dim: int):
        super().__init__()
        self.W_ih = nn.Linear(in_dim, hidden_dim, bias=False)
        self.W_hh = nn.Linear(hidden_dim, hidden_dim)

    def forward(self, x: Tensor, h: Tensor) -> Tensor:
        return torch.tanh(self.W_ih(x) + self.W_hh(h))


class PlainCharRNN(nn.Module):
    """The network in the shape of the lab sheet: an embedding, a Python loop over the cell, a head."""

    def __init__(self, vocab_size: int, hidden_dim: int):
        super().__init__()
        self.embed = nn.Embedding(vocab_size, hidden_dim)
        self.cell = PlainCell(hidden_dim, hidden_dim)
        self.head = nn.Linear(hidden_dim, vocab_size)

    def forward(self, ids: Tensor) -> Tensor:
        """ids (B, T) -> logits (B, T, V), from a zero state."""
        x = self.embed(ids)
        h = x.new_zeros(len(ids), x.shape[-1])
        states = []
        for t in range(ids.shape[1]):
            h = self.cell(x[:, t], h)
            states.append(h)
        return self.head(torch.stack(states, dim=1))

    @torch.no_grad()
    def write(self, ids: Tensor, n: int, temperature: float) -> Tensor:
        """ids (B, T) continued by n characters, none filtered and no state kept."""
        x = self.embed(ids)
        h = x.new_zeros(len(ids), x.shape[-1])
        for t in range(ids.shape[1]):
            h = self.cell(x[:, t], h)
        written = [ids]
        for _ in range(n):
            probs = F.softmax(self.head(h) / temperature, dim=-1)
            last = torch.multinomial(probs, 1)  # (B, 1)
            written.append(last)
            h = self.cell(self.embed(last.squeeze(1)), h)
        return torch.cat(written, dim=1)

    def copy_weights(self, model: CharRNN) -> "PlainCharRNN":
        self.load_state_dict(model.state_dict())  # the lab sheet's names are the project's
        return self


class TorchCharRNN(nn.Module):
    """The same network with `torch.nn.RNN` between embedding and head."""

    def __init__(self, vocab_size: int, hidden_dim: int):
        super().__init__()
        self.embed = nn.Embedding(vocab_size, hidden_dim)
        self.rnn = nn.RNN(hidden_dim, hidden_dim, batch_first=True)
        self.head = nn.Linear(hidden_dim, vocab_size)

    def forward(self, ids: Tensor) -> Tensor:
        """ids (B, T) -> logits (B, T, V), from a zero state."""
        return self.head(self.rnn(self.embed(ids))[0])

    def copy_weights(self, model: CharRNN) -> "TorchCharRNN":
        self.embed.load_state_dict(model.embed.state_dict())
        self.head.load_state_dict(model.head.state_dict())
        weights = {"weight_ih_l0": model.cell.W_ih.weight, "weight_hh_l0": model.cell.W_hh.weight}
        biases = {"bias_ih_l0": torch.zeros_like(model.cell.W_hh.bias), "bias_hh_l0": model.cell.W_hh.bias}
        self.rnn.load_state_dict(weights | biases)
        return self


class PlainTraining:
    """The training step of `charrnn.training.Training`, for any other network: same data, optimiser and clipping."""

    def __init__(self, model: nn.Module, training: Training):
        self.model = model
        self.corpus = training.corpus
        self.recipe = recipe = training.recipe
        self.rng = torch.Generator().manual_seed(training.seed)
        rate = recipe.rate(0)
        options = {"lr": rate, "betas": (0.9, recipe.beta2), "weight_decay": recipe.weight_decay}
        self.optimizer = torch.optim.AdamW(model.parameters(), **options, fused=True)

    def advance(self) -> float:
        """One update -> its loss in nats per character."""
        x, y = random_windows(self.corpus.train_ids, self.recipe.batch, self.recipe.seq_len, self.rng)
        self.optimizer.zero_grad()
        loss = F.cross_entropy(self.model(x).flatten(0, 1), y.flatten())
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), self.recipe.max_grad_norm)
        self.optimizer.step()
        return loss.item()


def gradient_norms_by_autograd(model: CharRNN, windows: Tensor) -> Tensor:
    """
    What the gradient-flow curve is made of, the plain way: one autograd pass through the loop, every state retained.

    windows (N, K + 2) of ids: K + 1 states, the loss at the last of them -> norms (N, K + 1), lag 0 first.
    """
    states, h = [], model.cell.initial_state(len(windows))
    for t in range(windows.shape[1] - 1):
        h = model.cell(model.embed(windows[:, t]), h)
        states.append(h.h)
    loss = F.cross_entropy(model.head(states[-1]), windows[:, -1], reduction="sum")
    gradients = torch.autograd.grad(loss, states)
    return torch.stack([gradient.norm(dim=-1) for gradient in reversed(gradients)], dim=1)


# ------------------------------------------------------------------------------------------------ measuring


@dataclass(frozen=True)
class Row:
    """One contestant: the median of its turns and what follows from it."""

    name: str
    median_ms: float
    fastest_ms: float
    figures: dict[str, float]

    def record(self) -> dict[str, Any]:
        """All of it by name, for machines."""
        return {"name": self.name, "median_ms": self.median_ms, "fastest_ms": self.fastest_ms, **self.figures}


def take_turns(contestants: dict[str, Callable[[], Any]], rounds: int, warmup: int = 2) -> dict[str, list[float]]:
    """Milliseconds of every turn: each round runs each contestant once, another one first each time."""
    names = list(contestants)
    turns: dict[str, list[float]] = {name: [] for name in names}
    for round_number in range(-warmup, rounds):
        first = round_number % len(names)
        for name in names[first:] + names[:first]:
            start = time.perf_counter()
            contestants[name]()
            if round_number >= 0:
                turns[name].append(1000 * (time.perf_counter() - start))
    return turns


def rows(turns: dict[str, list[float]], figures: Callable[[float], dict[str, float]]) -> list[Row]:
    """A row for each contestant; `figures` says what a median in milliseconds amounts to."""
    ours = statistics.median(turns[OURS])
    medians = {name: statistics.median(times) for name, times in turns.items()}
    return [
        Row(name, median, min(turns[name]), {"ours_over_this": ours / median} | figures(median))
        for name, median in medians.items()
    ]


def synthetic_corpus(vocab_size: int = VOCAB_SIZE, length: int = 200_000, seed: int = 0) -> Corpus:
    """A text of random characters: as many kinds as Tiny Shakespeare has, and nothing to download."""
    ids = torch.randint(vocab_size, (length,), generator=torch.Generator().manual_seed(seed))
    ids[:vocab_size] = torch.arange(vocab_size)
    return Corpus.from_text("".join(chr(ord("!") + i) for i in ids.tolist()))


# ------------------------------------------------------------------------------------------------ the verbs


def bench_train(options: argparse.Namespace) -> list[Row]:
    recipe = Recipe(batch=options.batch, seq_len=options.seq_len, hidden_dim=options.hidden_dim)
    training = Training(synthetic_corpus(), recipe)
    others = {"plain loop": PlainCharRNN, "torch.nn.RNN": TorchCharRNN}
    contestants: dict[str, Callable[[], Any]] = {
        name: PlainTraining(network(VOCAB_SIZE, recipe.hidden_dim).copy_weights(training.model), training).advance
        for name, network in others.items()
    }
    turns = take_turns(contestants | {OURS: training.advance}, options.rounds)
    # The products that no arrangement can avoid: recurrent and head, forward and twice backward.
    needed = 6 * recipe.batch * recipe.seq_len * recipe.hidden_dim * (recipe.hidden_dim + VOCAB_SIZE)

    def figures(median_ms: float) -> dict[str, float]:
        return {"gflops": needed / median_ms / 1e6, "minutes_2000_steps": 2000 * median_ms / 60_000}

    return rows(turns, figures)


def bench_sample(options: argparse.Namespace) -> list[Row]:
    model = CharRNN(VOCAB_SIZE, options.hidden_dim).eval()
    plain = PlainCharRNN(VOCAB_SIZE, options.hidden_dim).copy_weights(model).eval()
    settings = SamplingSettings(temperature=0.8, top_k=40, top_p=0.95)
    prompt = list(range(6))

    def ours() -> list[Any]:
        decoder = model.decoder()
        steps = generate(decoder, decoder.prefill(prompt), options.chars, settings, Dice(0))
        return [step.reading.state.h for step in steps]  # kept, as the heatmap needs them

    def theirs() -> Tensor:
        return plain.write(torch.tensor([prompt]), options.chars, settings.temperature)

    turns = take_turns({"plain loop": theirs, OURS: ours}, options.rounds)
    return rows(turns, lambda median_ms: {"chars_per_second": 1000 * options.chars / median_ms})


def bench_gradients(options: argparse.Namespace) -> list[Row]:
    model = CharRNN(VOCAB_SIZE, options.hidden_dim).double().eval()
    corpus = synthetic_corpus()
    ids = corpus.train_ids[: options.lags + 4 * options.positions].tolist()
    windows = corpus.train_ids[: options.positions * (options.lags + 2)].view(options.positions, -1)
    turns = take_turns(
        {
            "autograd, states retained": lambda: gradient_norms_by_autograd(model, windows),
            OURS: lambda: gradient_flow(model, ids, max_lag=options.lags, positions=options.positions),
        },
        options.rounds,
    )
    return rows(turns, lambda median_ms: {})


# How a figure is shown: the head of its column, its format.
UNITS = {
    "median_ms": ("median ms", "{:.1f}"),
    "fastest_ms": ("fastest", "{:.1f}"),
    "ours_over_this": (f"{OURS} / this", "{:.2f}"),
    "gflops": ("GFLOP/s", "{:.0f}"),
    "minutes_2000_steps": ("min for 2000 steps", "{:.1f}"),
    "chars_per_second": ("characters/s", "{:,.0f}"),
}


def table(found: Sequence[Row]) -> str:
    """The rows as aligned columns."""
    records = [row.record() for row in found]
    keys = [key for key in UNITS if key in records[0]]
    heads = ["", *(UNITS[key][0] for key in keys)]
    lines = [[record["name"], *(UNITS[key][1].format(record[key]) for key in keys)] for record in records]
    widths = [max(map(len, column)) for column in zip(heads, *lines, strict=True)]
    return "\n".join(
        "  ".join(
            [line[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True))]
        )
        for line in [heads, *lines]
    )


def parser() -> argparse.ArgumentParser:
    """The flags of every verb."""
    whole = argparse.ArgumentParser(description="Measure the network against a plain loop and against torch.nn.")
    verbs = whole.add_subparsers(dest="verb", required=True)
    train = verbs.add_parser("train", help="one whole training step")
    train.add_argument("--batch", type=int, default=64, help="windows a step (default 64)")
    train.add_argument("--seq-len", type=int, default=128, help="characters a window (default 128)")
    sample = verbs.add_parser("sample", help="characters per second on one core")
    sample.add_argument("--chars", type=int, default=500, help="characters a turn (default 500)")
    gradients = verbs.add_parser("gradients", help="the gradient-flow curve")
    gradients.add_argument("--positions", type=int, default=512, help="text positions (default 512)")
    gradients.add_argument("--lags", type=int, default=128, help="characters back (default 128)")
    for verb, rounds, threads in ((train, 15, None), (sample, 15, 1), (gradients, 5, None)):
        verb.add_argument("--hidden-dim", type=int, default=256, help="hidden units (default 256)")
        verb.add_argument("--rounds", type=int, default=rounds, help=f"turns of each contestant (default {rounds})")
        verb.add_argument("--threads", type=int, default=threads, help=f"CPU threads (default {threads or 'all'})")
        verb.add_argument("--json", action="store_true", help="print the figures for machines")
    verbs.add_parser("page", help="the page in a real browser; takes the flags of scripts/bench_page.py")
    return whole


def main(arguments: Sequence[str]) -> int:
    if arguments[:1] == ["page"]:
        return subprocess.run([sys.executable, Path(__file__).with_name("bench_page.py"), *arguments[1:]]).returncode
    options = parser().parse_args(arguments)
    if options.threads:
        torch.set_num_threads(options.threads)
    bench = {"train": bench_train, "sample": bench_sample, "gradients": bench_gradients}[options.verb]
    found = bench(options)
    machine = {
        "processor": processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
    }
    if options.json:
        settings = {key: value for key, value in vars(options).items() if key not in ("json", "threads")}
        print(json.dumps({**settings, "machine": machine, "rows": [row.record() for row in found]}, indent=1))
    else:
        print(", ".join(f"{key} {value}" for key, value in machine.items()))
        print(table(found))
    return 0


def processor() -> str:
    """The processor's name, as far as the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
