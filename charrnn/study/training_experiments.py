"""
Experiments on the lab sheet's training loop: clipping, ReLU, `no_grad`.

Each part yields the rows that `scripts/study.py` documents and stores.
"""

import argparse
import math
import statistics
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import product
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from charrnn.bootstrap import interval_facts, median_interval
from charrnn.cells import HiddenState, NoGates, VanillaRNNCell
from charrnn.corpus import Corpus, contiguous_streams
from charrnn.model import CharRNN
from charrnn.profiling import interleave, resident_bytes
from charrnn.training import DivergedError, Recipe, Training, evaluate_stream

Row = dict[str, Any]

LAB_MAX_GRAD_NORM = Recipe().max_grad_norm
RECENT = 50  # updates that a loss is compared with, and over which the last one is averaged
READ_CHARS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)


# ------------------------------------------------------------------------------------------------ training runs


def clipping(options: argparse.Namespace, text: str) -> Iterator[Row]:
    """Train the recipe at several learning rates, with and without clipping."""
    corpus = Corpus.from_text(text)
    for recipe, seed in lab_runs(options):
        yield learn(Training(corpus, recipe, seed), options.every)


def relu(options: argparse.Namespace, text: str) -> Iterator[Row]:
    """Train the recipe with tanh and with ReLU, and measure the largest state."""
    corpus = Corpus.from_text(text)
    for (recipe, seed), (name, cell) in product(lab_runs(options), ACTIVATIONS.items()):
        training = Training(corpus, recipe, seed)
        training.model = model = LoopRNN(training.model, cell)
        row = learn(training, options.every)
        row["curve"]["largest_state"] = binned(np.array(model.largest_states[: row["steps"]]), options.every, np.max)
        yield {"activation": name} | row | {"reading": state_while_reading(model, corpus.val_ids)}


def lab_runs(options: argparse.Namespace) -> list[tuple[Recipe, int]]:
    """Return the recipes and seeds of the flags; other settings are the lab sheet's."""
    sizes = {name: getattr(options, name) for name in ("steps", "batch", "seq_len", "hidden_dim")}
    rates = product(options.learning_rates, options.max_grad_norms)
    recipes = [Recipe(**sizes, learning_rate=rate, max_grad_norm=norm) for rate, norm in rates]
    return list(product(recipes, options.seeds))


def learn(training: Training, every: int) -> Row:
    """Train to the end or to the first NaN -> a summary of every step."""
    start = time.perf_counter()
    points, diverged_at = [], None
    try:
        while not training.finished:
            training.advance()
            points.append(training.last_update)
        training.require_finite()
    except DivergedError as error:
        diverged_at = error.step
    steps, no_points = len(points), [(math.nan, math.nan)]
    losses, norms = np.array(points or no_points).T
    spike_step, spike_nats = largest_spike(losses)
    val_nats = math.nan if diverged_at is not None else evaluate_stream(training.model, training.corpus.val_ids)
    return {
        "learning_rate": training.recipe.learning_rate,
        "max_grad_norm": training.recipe.max_grad_norm,
        "seed": training.seed,
        "steps": steps,
        "diverged_at": diverged_at,
        "last_loss_nats": losses[-RECENT:].mean(),
        "val_stream_nats": val_nats,
        "largest_grad_norm": norms.max(),
        "largest_grad_norm_step": int(norms.argmax()),
        "share_to_clip": (norms > LAB_MAX_GRAD_NORM).mean(),
        "largest_spike_nats": spike_nats,
        "largest_spike_step": spike_step,
        "seconds": time.perf_counter() - start,
        "curve": {
            "every": every,
            "loss_mean_nats": binned(losses, every, np.mean),
            "loss_max_nats": binned(losses, every, np.max),
            "grad_norm_median": binned(norms, every, np.median),
            "grad_norm_max": binned(norms, every, np.max),
        },
    }


def largest_spike(losses: np.ndarray) -> tuple[int | None, float | None]:
    """Return step and size of the largest loss spike above the recent median."""
    if len(losses) <= RECENT:
        return None, None
    before = np.median(np.lib.stride_tricks.sliding_window_view(losses, RECENT)[:-1], axis=1)
    rises = losses[RECENT:] - before
    return RECENT + int(rises.argmax()), rises.max()


def binned(values: np.ndarray, every: int, what: Callable[[np.ndarray], float]) -> list[float]:
    """Return one figure per bin of `every` steps; the last bin may be shorter."""
    return [what(values[i : i + every]) for i in range(0, len(values), every)]


# ------------------------------------------------------------------------------------------------ relu


class ReluRNNCell(VanillaRNNCell):
    """A vanilla cell with ReLU instead of tanh, which the lab sheet advises against."""

    def update(self, from_input: Any, from_state: Any, state: HiddenState) -> tuple[HiddenState, NoGates]:
        return HiddenState(torch.relu(from_input + from_state)), NoGates()


ACTIVATIONS = {"tanh": VanillaRNNCell, "relu": ReluRNNCell}


class LoopRNN(CharRNN):
    """
    A network trained by autograd through the loop over time.

    It shares its parameters with `model`, so that model's optimizer trains it. `largest_states` has max |h| after the
    last character of each batch of texts that was read.
    """

    def __init__(self, model: Any, cell: type[VanillaRNNCell]):
        super().__init__(model.embed.num_embeddings, model.hidden_dim)
        self.cell = cell(model.hidden_dim, model.hidden_dim)
        self.cell.W_ih, self.cell.W_hh = model.cell.W_ih, model.cell.W_hh
        self.embed, self.head = model.embed, model.head
        self.largest_states: list[float] = []

    def fast_forward(self, ids: Tensor, state: Any = None, rng: torch.Generator | None = None) -> tuple[Tensor, Any]:
        logits, last = self.forward(ids, state)
        self.largest_states.append(last.h.detach().abs().max().item())
        return logits, last


@torch.no_grad()
def state_while_reading(model: LoopRNN, ids: Tensor) -> dict[str, list]:
    """Return max |h| over 64 streams after 1, 2, 4, … characters."""
    rows = contiguous_streams(ids, 64)
    reached = [chars for chars in READ_CHARS if chars <= rows.shape[1]]
    state, largest = None, []
    for start, end in zip((0, *reached), reached, strict=False):
        _, state = model.fast_forward(rows[:, start:end], state)
        largest.append(model.largest_states[-1])
    return {"characters": reached, "largest_state": largest}


# ------------------------------------------------------------------------------------------------ no_grad


def no_grad(options: argparse.Namespace, text: str) -> Iterator[Row]:
    """Time sampling with and without `torch.no_grad()`, and its memory."""
    model = CharRNN(len(set(text)), options.hidden_dim)
    outside = partial(sample_as_lab_sheet, model, torch.Generator().manual_seed(0))
    inside = torch.no_grad()(outside)
    bytes_inside, bytes_outside = (bytes_per_char(variant, max(options.chars)) for variant in (inside, outside))
    for chars in options.chars:
        variants = {"inside": partial(inside, chars), "outside": partial(outside, chars)}
        times_ms = interleave(variants, options.rounds)
        ratios = [slower / faster for faster, slower in zip(*times_ms.values(), strict=True)]
        yield {
            "chars": chars,
            "no_grad_ms": statistics.median(times_ms["inside"]),
            "without_ms": statistics.median(times_ms["outside"]),
            "times_slower": statistics.median(ratios),
            "no_grad_bytes_per_char": bytes_inside,
            "without_bytes_per_char": bytes_outside,
        } | interval_facts("times_slower", median_interval(ratios))


def sample_as_lab_sheet(model: CharRNN, rng: torch.Generator, n: int) -> HiddenState:
    """Sample as the lab sheet does -> the last state."""
    state = model.cell.initial_state(1)
    last = torch.zeros(1, dtype=torch.long)
    for _ in range(n):
        state = model.cell(model.embed(last), state)
        probs = F.softmax(model.head(state.h), dim=-1)
        last = torch.multinomial(probs, 1, generator=rng).squeeze(-1)
    return state


def bytes_per_char(variant: Callable[[int], Any], n: int) -> float | None:
    """Return the growth of the process per sampled character, in bytes."""
    variant(10)
    before = resident_bytes()
    state = variant(n)
    after = resident_bytes()
    del state  # and its autograd graph
    return None if before is None or after is None else (after - before) / n
