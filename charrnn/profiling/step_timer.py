"""
Time per part of a training step.

Real, whole steps are timed: hooks between the parts, forward and backward, assign every moment of a step to exactly
one part.
"""

import math
import statistics
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from threading import get_ident
from typing import Any

from torch import Tensor, nn

from charrnn.bootstrap import interval_facts, median_interval
from charrnn.bptt import unroll
from charrnn.model import CharRNN
from charrnn.profiling.baseline_training import PlainTraining
from charrnn.profiling.interleaved_timing import VOCAB_SIZE, interleave, now, synthetic_corpus
from charrnn.registry import build_model
from charrnn.torch_reference import Logits, PlainCharRNN, TorchCharRNN
from charrnn.training import Recipe

LOOP, LOOP_BACK = "loop over T", "backward: loop over T"
BLOCKS, BLOCKS_BACK = "blocks", "backward: blocks"  # MiniGPT's, all characters at once
INPUT, REST_BACK = "input product", "backward: the rest"
PARTS = (INPUT, LOOP, BLOCKS, "head and loss", LOOP_BACK, BLOCKS_BACK, REST_BACK, "optimiser", "the rest")
MINIGPT_DIM = 128

Lap = Callable[[str], None]


class SectionTimer:
    """Milliseconds per part of one step; `lap` ends a part."""

    def __init__(self) -> None:
        self.parts: dict[str, float] = defaultdict(float)
        self._last = now()

    def lap(self, part: str) -> None:
        """Add the time since the last call to a part."""
        self._last, start = now(), self._last
        self.parts[part] += 1000 * (self._last - start)


# ------------------------------------------------------------------------------------------------ timers


def mark(x: Tensor, lap: Lap, forward: str, back: str) -> None:
    """End part `forward` when x is computed and part `back` when its gradient is."""
    lap(forward)
    if x.requires_grad:
        x.register_hook(lambda gradient: lap(back))


@contextmanager
def attached(network: nn.Module, lap: Lap) -> Iterator[None]:
    """Attach the timer to a network inside the `with` block."""
    if isinstance(network, Logits):
        inner = network.network
        timed = _recurrent(inner, lap) if isinstance(inner, CharRNN) else _minigpt(inner, lap)
    else:
        timed = _plain(network, lap)
    with timed:
        yield


def _after(module: nn.Module, lap: Lap, forward: str, back: str) -> Any:
    def hook(_: nn.Module, inputs: Any, output: Tensor) -> None:
        mark(output, lap, forward, back)

    return module.register_forward_hook(hook)


def _before(module: nn.Module, lap: Lap, forward: str, back: str) -> Any:
    def hook(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        mark(inputs[0], lap, forward, back)

    return module.register_forward_pre_hook(hook)


@contextmanager
def _removed_after(*hooks: Any) -> Iterator[None]:
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _plain(network: Any, lap: Lap) -> Any:
    """Time the plain loop and torch.nn, whose input product is part of its loop."""
    hooks = [
        _after(network.embed, lap, INPUT, LOOP_BACK),
        _before(network.head, lap, LOOP, REST_BACK),
    ]
    if isinstance(network, PlainCharRNN):  # its input product is in the loop, one at each step

        def after_product(_: Any, inputs: Any, product: Tensor) -> None:
            lap(INPUT)
            assert product.grad_fn is not None
            product.grad_fn.register_prehook(lambda gradients: lap(LOOP_BACK))
            product.grad_fn.register_hook(lambda inputs, outputs: lap(REST_BACK))

        hooks += [
            network.cell.W_ih.register_forward_pre_hook(lambda *_: lap(LOOP)),
            network.cell.W_ih.register_forward_hook(after_product),
        ]
    return _removed_after(*hooks)


def _minigpt(network: Any, lap: Lap) -> Any:
    return _removed_after(
        _after(network.embed, lap, INPUT, BLOCKS_BACK),
        _before(network.norm, lap, BLOCKS, REST_BACK),
    )


@contextmanager
def _replaced(module: Any, name: str, function: Callable[..., Any]) -> Iterator[None]:
    original = getattr(module, name)
    setattr(module, name, function)
    try:
        yield
    finally:
        setattr(module, name, original)


@contextmanager
def _recurrent(network: CharRNN, lap: Lap) -> Iterator[None]:
    """Time a CharRNN; the backward loop includes the weight gradients."""
    thread = get_ident()

    def timed(function: Callable[..., Any], before: str, part: str) -> Callable[..., Any]:
        def run(*inputs: Any) -> Any:
            if get_ident() != thread:  # a run in another thread
                return function(*inputs)
            lap(before)
            result = function(*inputs)
            lap(part)
            return result

        return run

    with (
        _replaced(unroll, "forward", timed(unroll.forward, INPUT, LOOP)),
        _replaced(unroll, "backward", timed(unroll.backward, REST_BACK, LOOP_BACK)),
        _removed_after(_before(network.head, lap, LOOP, REST_BACK)),
    ):
        yield


# ------------------------------------------------------------------------------------------------ measuring


def variants(recipe: Recipe, chosen: Sequence[str] = ()) -> dict[str, PlainTraining]:
    """Return a training per network on one text; chosen: only these names."""
    ids, hidden = synthetic_corpus().train_ids, recipe.hidden_dim
    networks: dict[str, nn.Module] = {"plain loop": PlainCharRNN(VOCAB_SIZE, hidden)}
    for cell in ("rnn", "gru", "lstm"):
        networks[f"torch.nn.{cell.upper()}"] = TorchCharRNN(VOCAB_SIZE, hidden, cell)
        networks[f"charrnn {cell}"] = Logits(CharRNN(VOCAB_SIZE, hidden, cell))
    minigpt = {"cell": "minigpt", "hidden_dim": MINIGPT_DIM, "context": max(2, recipe.seq_len)}
    networks["MiniGPT"] = Logits(build_model(minigpt, VOCAB_SIZE))
    return {
        name: PlainTraining(network, ids, recipe) for name, network in networks.items() if not chosen or name in chosen
    }


def time_sections(training: PlainTraining) -> Mapping[str, float]:
    """Time each part of one more step, in milliseconds."""
    timer = SectionTimer()
    with attached(training.model, timer.lap):
        training.advance(timer.lap)
    timer.lap("the rest")
    return timer.parts


def rows(recipe: Recipe, rounds: int) -> list[dict[str, Any]]:
    """Measure the time per part of a step for each network."""
    *_, (_, _, found) = iter_rows(recipe, (), rounds, math.inf)
    return found


def _row(name: str, median_ms: float, steps: list[Mapping[str, float]]) -> dict[str, Any]:
    parts = {part: statistics.median(step[part] for step in steps) for part in PARTS if part in steps[0]}
    shares = [sum(step.get(part, 0.0) for part in (LOOP, LOOP_BACK)) / sum(step.values()) for step in steps]
    interval = interval_facts("loop_share", median_interval(shares))
    return {"name": name, "median_ms": median_ms, "loop_share": statistics.median(shares)} | interval | {"parts": parts}


def iter_rows(
    recipe: Recipe, chosen: Sequence[str], rounds: int, seconds: float
) -> Iterator[tuple[int, int, list[dict[str, Any]]]]:
    """
    Measure chosen networks step by step: yield (steps done, total, rows).

    rows is empty until the end. No new round starts after `seconds`, but one is always done.
    """
    trainings, start = variants(recipe, chosen), now()
    step_ms: dict[str, list[float]] = {name: [] for name in trainings}
    parts: dict[str, list[Mapping[str, float]]] = {name: [] for name in trainings}
    done, total = 0, 2 * len(trainings) * (rounds + 1)
    for number in range(rounds + 1):  # the first one warms up
        first = number % len(trainings)
        for name in [*trainings][first:] + [*trainings][:first]:
            training = trainings[name]
            before = now()
            training.advance()
            after = now()
            yield done + 1, total, []
            sections = time_sections(training)
            if number:
                step_ms[name].append(1000 * (after - before))
                parts[name].append(sections)
            done += 2
            yield done, total, []
        if number and now() - start > seconds:
            break
    yield total, total, [_row(name, statistics.median(step_ms[name]), parts[name]) for name in trainings]


def time_vs_length(recipe: Recipe, lengths: tuple[int, ...], rounds: int) -> list[dict[str, Any]]:
    """Time whole steps, ms, with longer windows and smaller batches of equal size B·T."""
    chars = recipe.batch * recipe.seq_len
    sizes = {T: max(1, chars // T) for T in lengths}
    chosen = ("plain loop", "torch.nn.RNN", "charrnn rnn", "MiniGPT")
    found: dict[str, list[float]] = {name: [] for name in chosen}
    for T, B in sizes.items():
        trainings = variants(Recipe(batch=B, seq_len=T, hidden_dim=recipe.hidden_dim))
        times_ms = interleave({name: trainings[name].advance for name in chosen}, rounds)
        for name in chosen:
            found[name].append(statistics.median(times_ms[name]))
    return [
        {"name": name, "seq_len": list(sizes), "batch": list(sizes.values()), "median_ms": medians}
        for name, medians in found.items()
    ]
