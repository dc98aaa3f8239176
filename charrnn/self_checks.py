"""
Self-checks: compare results with independent computations in float64.

A check holds if the largest difference found is within its limit; it fails for NaN.
"""

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from charrnn.export import ModuleDecoder
from charrnn.model import CharRNN
from charrnn.registry import Network
from charrnn.sampling import SamplingSettings, UniformStream, generate, read_stepwise
from charrnn.seeds import seeded
from charrnn.torch_reference import TorchCharRNN

ROUNDING = 1e-10  # of float64 sums in another order
SLOPE = 1e-5  # of a finite difference, relative to the directional derivative
STEP = 1e-4  # step size of a finite difference
DIRECTIONS = 2
V, H, B, T = 11, 24, 3, 16  # sizes of the random networks
MAX_CHARS = 160  # characters; exceeds the context of the bundled MiniGPT


@dataclass(frozen=True)
class Check:
    """A claim, the largest measured difference and its limit."""

    claim: str
    difference: float
    limit: float
    how: str

    @property
    def holds(self) -> bool:
        """Whether the difference is within the limit."""
        return self.difference <= self.limit


def cell_matches_torch(kind: str, seed: int = 0) -> Check:
    """Compare logits and gradients of a cell with torch.nn's layer."""
    rng = seeded(seed)
    ours = CharRNN(V, H, kind).double()
    for parameter in ours.parameters():
        parameter.data.copy_(0.3 * torch.randn(parameter.shape, generator=rng, dtype=torch.float64))
    claim = f"Our {kind.upper()} matches PyTorch's"
    theirs = TorchCharRNN(V, H, kind).double()
    if different := _shapes(ours).items() ^ _shapes(theirs).items():
        names = ", ".join(sorted({name for name, _ in different}))
        return Check(claim, math.inf, ROUNDING, f"the parameters differ: {names}")
    theirs.copy_weights(ours)
    ids, targets = torch.randint(V, (2, B, T), generator=rng)
    expected = theirs(ids)
    reference = _gradients(theirs, expected, targets)
    reference = {_NAMES.get(name, name): gradient for name, gradient in reference.items()}
    forward = backward = 0.0
    for forward_pass in (ours, ours.bptt_forward):
        logits = forward_pass(ids)[0]
        found = _gradients(ours, logits, targets)
        forward = _larger(forward, logits - expected)
        for name, gradient in found.items():
            backward = _larger(backward, gradient - reference[name])
    how = f"same weights, {H} units, {B} × {T} characters: logits {forward:.1e}, gradients {backward:.1e}"
    return Check(claim, _largest(forward, backward), ROUNDING, how)


_NAMES = {
    "rnn.weight_ih_l0": "cell.W_ih.weight",
    "rnn.weight_hh_l0": "cell.W_hh.weight",
    "rnn.bias_hh_l0": "cell.W_hh.bias",
}


def bptt_matches_autograd(network: CharRNN, ids: Sequence[int]) -> Check:
    """Compare the gradients of the hand-written backward pass with autograd."""
    claim, exact = "Hand-written backprop matches autograd", copy.deepcopy(network).double()
    inputs, targets = _windows(ids)
    reference = _gradients(exact, exact(inputs)[0], targets)
    if difference := exact.bptt_difference():
        return Check(claim, math.inf, ROUNDING, f"it is not used, autograd through the cell is: {difference}")
    found, difference = _gradients(exact, exact.bptt_forward(inputs)[0], targets), 0.0
    for name, gradient in found.items():
        difference = _larger(difference, (gradient - reference[name]) / max(1.0, reference[name].abs().max().item()))
    how = f"this model's weights, {inputs.numel()} characters, all {len(found)} parameters"
    return Check(claim, difference, ROUNDING, how)


def gradient_matches_finite_difference(network: Network, ids: Sequence[int], seed: int = 0) -> Check:
    """Compare the gradient along random directions with finite differences."""
    exact = copy.deepcopy(network).double()
    inputs, targets = _windows(ids)
    rng = seeded(seed)
    gradients = _gradients(exact, exact.fast_forward(inputs)[0], targets)
    weights = dict(exact.named_parameters())
    worst = 0.0
    for _ in range(DIRECTIONS):
        # Steps proportional to the weights along the gradient's signs, so that the terms of the sum do not cancel.
        direction = {
            name: gradient.sign() * torch.rand(gradient.shape, generator=rng, dtype=torch.float64)
            for name, gradient in gradients.items()
        }
        size = sum(part.square().sum() for part in direction.values()) ** 0.5
        slope = sum((gradients[name] * direction[name]).sum() for name in direction) / size
        losses = []
        for sign in (1, -1):
            with torch.no_grad():
                for name, weight in weights.items():
                    weight.add_(direction[name], alpha=float(sign * STEP / size))
                losses.append(_loss(exact.fast_forward(inputs)[0], targets))
                for name, weight in weights.items():
                    weight.sub_(direction[name], alpha=float(sign * STEP / size))
        worst = _larger(worst, ((losses[0] - losses[1]) / (2 * STEP) - slope) / slope)
    how = f"this model's weights, {DIRECTIONS} random directions, relative"
    return Check("Gradient matches the measured slope", worst, SLOPE, how)


def stepwise_matches_batch(network: Network, ids: Sequence[int]) -> Check:
    """Compare logits of a text read at once, in two pieces, and step by step."""
    exact, ids = copy.deepcopy(network).double(), list(ids[:MAX_CHARS])
    with torch.no_grad():
        batch = exact(torch.tensor([ids]))[0][0]
        first, state = exact(torch.tensor([ids[: len(ids) // 3]]))
        second, _ = exact(torch.tensor([ids[len(ids) // 3 :]]), state)
    decoder = exact.decoder()
    streamed = read_stepwise(decoder, ids).logits
    decoded_by = "the torch module" if isinstance(decoder, ModuleDecoder) else "numpy"
    pieces = _larger(0.0, torch.cat([first[0], second[0]]) - batch)
    stream = _larger(0.0, torch.from_numpy(streamed) - batch)
    how = f"logits of {len(ids)} characters: in two pieces {pieces:.1e}, one by one in {decoded_by} {stream:.1e}"
    return Check("Reading in pieces = reading at once", _largest(pieces, stream), ROUNDING, how)


def sample_twice(
    network: Network, prompt: Sequence[int], n: int, settings: SamplingSettings, seed: int
) -> list[list[int]]:
    """Sample with one seed twice: by `generate`, as the server does, and by `sample`."""
    decoder = network.decoder()
    steps = generate(decoder, decoder.prefill(prompt), n, settings, UniformStream(seed))
    generated = [step.id for step in steps]
    filters = {"top_k": settings.top_k, "top_p": settings.top_p, "min_p": settings.min_p}
    sampled = network.sample(torch.tensor([list(prompt)]), n, settings.temperature, **filters, seed=seed)
    return [generated, sampled[0, len(prompt) :].tolist()]


# ------------------------------------------------------------------------------------------------ differences


def _windows(ids: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Return inputs (1, T) and targets."""
    text = torch.tensor([list(ids[: T + 1])])
    return text[:, :-1], text[:, 1:]


def _shapes(network: torch.nn.Module) -> dict[str, torch.Size]:
    """Return the shape of each parameter, by the project's names."""
    named = ((_NAMES.get(name, name), weight) for name, weight in network.named_parameters() if "bias_ih" not in name)
    return {name: weight.shape for name, weight in named}


def _loss(logits: Tensor, targets: Tensor) -> Tensor:
    return F.cross_entropy(logits.flatten(0, 1), targets.flatten())


def _gradients(network: torch.nn.Module, logits: Tensor, targets: Tensor) -> dict[str, Tensor]:
    weights = {name: weight for name, weight in network.named_parameters() if "bias_ih" not in name}
    gradients = torch.autograd.grad(_loss(logits, targets), [*weights.values()])
    return dict(zip(weights, gradients, strict=True))


def _larger(so_far: float, difference: Tensor) -> float:
    return _largest(so_far, difference.abs().max().item())


def _largest(*differences: float) -> float:
    """Return the maximum, or NaN if any argument is NaN (`max` would lose it)."""
    return torch.tensor(differences, dtype=torch.float64).max().item()
