"""
Time rejected variants of a training step against the present one.

    python scripts/dev/step_variants.py                 two tables, about a minute

The variants alternate; a ratio is that of the medians, above 1 for a slower variant. Of the vanilla network the two
loops over T are timed, of MiniGPT whole steps. docs/performance.md has its output.
"""

import argparse
import statistics
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
import torch.nn.functional as F
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from charrnn import matrix_products
from charrnn.bptt import unroll, vanilla
from charrnn.cells import HiddenState
from charrnn.minigpt import equations, model
from charrnn.profiling import VOCAB_SIZE, interleave, machine, synthetic_corpus
from charrnn.text_tables import columns
from charrnn.training import RECIPES, Training

T, B, H = 128, 64, 256
Step = Callable[[], Any]


def with_replaced(step: Step, value: Any, name: str, *owners: Any) -> Step:
    """Return a step that runs with an attribute of the owners replaced."""

    def run() -> None:
        with ExitStack() as stack:
            for owner in owners:
                stack.enter_context(patch.object(owner, name, value))
            step()

    return run


def vanilla_loops() -> dict[str, Step]:
    """Return the two loops over T of the vanilla network, and variants."""
    weights = unroll.Weights(torch.randn(VOCAB_SIZE, H) / 4, torch.nn.init.orthogonal_(torch.empty(H, H)), None, None)
    ids, d_h = torch.randint(VOCAB_SIZE, (T, B)), torch.randn(T, B, H)

    def loops(ids: Tensor, d_h: Tensor) -> unroll.Weights:
        state = HiddenState(torch.zeros(ids.shape[1], H))
        _, last, segments = unroll.forward(vanilla, weights, None, ids, state)
        zeros = HiddenState(torch.zeros_like(last.h))
        return unroll.backward(vanilla, weights, None, segments, d_h, zeros)[0]

    pool = ThreadPoolExecutor(2, initializer=torch.set_num_threads, initargs=(1,))
    halves = [[part.contiguous() for part in parts] for parts in zip(ids.chunk(2, 1), d_h.chunk(2, 1), strict=True)]

    def present() -> unroll.Weights:
        return loops(ids, d_h)

    return {
        "present": present,
        "torch.mm (MKL) for every product": with_replaced(present, lambda *_: False, "uses_onednn", matrix_products),
        "half of the batch on each of two threads": lambda: list(pool.map(lambda half: loops(*half), halves)),
        "blocks of a quarter of the steps": with_replaced(present, 1 << 16, "CACHE_NUMBERS", unroll),
        "all steps in one block": with_replaced(present, 1 << 30, "CACHE_NUMBERS", unroll),
    }


def minigpt_steps() -> dict[str, Step]:
    """Return a training step of MiniGPT, and variants."""
    step = Training(synthetic_corpus(), RECIPES["minigpt"]).advance
    users = (equations, model)
    return {
        "present": step,
        "torch.mm (MKL) for every product": with_replaced(step, lambda *_: False, "uses_onednn", matrix_products),
        "dropout masks of random bytes": with_replaced(step, dropout_of_bytes, "dropout", *users),
        "no dropout": with_replaced(step, lambda x, share, rng: x, "dropout", *users),
        "GELU by its tanh approximation": with_replaced(
            step, lambda x: F.gelu(x, approximate="tanh"), "gelu", equations
        ),
    }


def dropout_of_bytes(x: Tensor, share: float, rng: torch.Generator | None) -> Tensor:
    """Apply dropout by a mask of random bytes; the rate is a multiple of 1/256."""
    if rng is None or share == 0:
        return x
    random = torch.empty(x.shape, dtype=torch.uint8).random_(generator=rng)
    return x * (random >= round(256 * share)).to(x.dtype).div_(1 - share)


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description="Time variants of a training step against the present one.")
    parser.add_argument("--rounds", type=int, default=15, help="turns of each variant (default 15)")
    rounds = parser.parse_args().rounds
    print("processor {processor}, threads {threads}, torch {torch}".format(**machine()))
    titles = {"vanilla, the loops over T": vanilla_loops(), "MiniGPT, a whole step": minigpt_steps()}
    for title, variants in titles.items():
        medians = {name: statistics.median(times) for name, times in interleave(variants, rounds).items()}
        rows = [[name, f"{ms:.1f}", f"{ms / medians['present']:.2f}"] for name, ms in medians.items()]
        print(f"\n{columns([title, 'ms', 'ratio'], rows)}")


if __name__ == "__main__":
    main()
