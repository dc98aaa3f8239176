"""
Norms of products of k step Jacobians, P_k = J_T … J_{T−k+1}.

∂ℓ_T/∂state_{T−k} = P_kᵀ ∂ℓ_T/∂state_T, so σ_max(P_k) bounds the gradient of any loss at T. Pascanu et al. 2013.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from charrnn.gradient_flow.gradient_norms import spread_positions
from charrnn.gradient_flow.recurrent_spectrum import spectra
from charrnn.gradient_flow.step_jacobian import Steps
from charrnn.registry import Network

MAX_ITERATIONS = 24
POSITIONS = 64


@dataclass(frozen=True)
class ProductNorms:
    """
    Largest singular value of the product of k step Jacobians; arrays (L,).

    Quantiles over positions of one text.
    """

    lags: np.ndarray
    median: np.ndarray
    low: np.ndarray  # 10th percentile
    high: np.ndarray  # 90th percentile
    bound: np.ndarray | None  # (σ_max W_hh)^k; None if W_hh gives no bound
    positions: int


def product_norms(model: Network, ids: Sequence[int], max_lag: int = 128, positions: int = POSITIONS) -> ProductNorms:
    """
    Measure σ_max(P_k) of a model on a text, in float64.

    Lags up to max_lag, spaced by factors of about 1.4. ids: at least max_lag + 2 characters; positions are spread
    evenly. Raises ValueError for a shorter text and for a model without a state.
    """
    *_, measured = iter_product_norms(model, ids, max_lag, positions)
    return measured


def iter_product_norms(
    model: Network, ids: Sequence[int], max_lag: int = 128, positions: int = POSITIONS
) -> Iterator[ProductNorms]:
    """Yield `product_norms` with one more lag each time, so that a caller can stop."""
    steps, ends = Steps(model, torch.as_tensor(ids)), spread_positions(ids, max_lag, positions)
    lags, norms = spaced_lags(max_lag), []
    for i, lag in enumerate(lags):
        norms.append(largest_singular_values(steps, ends, [lag])[0].numpy())
        low, median, high = np.quantile(np.stack(norms), [0.1, 0.5, 0.9], axis=1)
        measured = np.array(lags[: i + 1])
        yield ProductNorms(measured, median, low, high, product_bound(model, measured), len(ends))


def product_bound(model: Network, lags: np.ndarray) -> np.ndarray | None:
    """
    Return (σ_max W_hh)^k, an upper bound for a vanilla cell; else None.

    J = diag(1 − h²) W_hh with 1 − h² <= 1. Gated cells have no such bound, since their state also has a path without
    W_hh; nor has layer norm, which divides by the standard deviation.
    """
    first, *_ = spectra(model)
    return first.norm ** lags.astype(float) if first.bounds else None


def spaced_lags(max_lag: int) -> list[int]:
    """Return 1, 2, 3, 4, 6, 8, 12, … and max_lag: the cost is linear in max_lag."""
    lags = {factor * 2**n for n in range(max_lag.bit_length()) for factor in (1, 1.5)}
    return sorted({int(lag) for lag in lags if lag == int(lag) and lag < max_lag} | {max_lag})


@torch.no_grad()
def largest_singular_values(steps: Steps, positions: Tensor, lags: Sequence[int], tolerance: float = 1e-3) -> Tensor:
    """
    Return σ_max of the last k step Jacobians before each position: (L, P).

    positions (P,), one row per lag k. Golub-Kahan-Lanczos bidiagonalization, started with the gradient of the loss:
    never above the true value, never below the growth of that gradient. tolerance: relative change at which it stops.
    """
    start = steps.d_loss(positions)
    return torch.stack([_largest(steps, positions, lag, start, tolerance) for lag in lags])


def _largest(steps: Steps, positions: Tensor, lag: int, start: Tensor, tolerance: float) -> Tensor:
    """Return σ_max of P_lag at each position (P,) from a growing bidiagonal matrix."""
    left, right = [_unit(start)[0]], []
    alphas: list[Tensor] = []
    betas: list[Tensor] = []
    largest = torch.zeros(len(positions), dtype=start.dtype)
    for _ in range(min(MAX_ITERATIONS, steps.dim)):
        v = left[-1]
        for back in range(lag):
            v = steps.vjp(v, positions - back)
        v, alpha = _unit(_orthogonalized(v, right))
        right.append(v)
        alphas.append(alpha)
        previous, largest = largest, _norm_of_bidiagonal(alphas, betas)
        if bool((largest - previous <= tolerance * largest).all()):
            break
        u = v
        for back in reversed(range(lag)):
            u = steps.jvp(u, positions - back)
        u, beta = _unit(_orthogonalized(u, left))
        left.append(u)
        betas.append(beta)
    return largest


def _norm_of_bidiagonal(alphas: Sequence[Tensor], betas: Sequence[Tensor]) -> Tensor:
    """Return spectral norms (P,) from diagonals and subdiagonals, (P,) each."""
    diagonal, below = torch.stack(list(alphas), dim=-1), torch.stack([*betas, torch.zeros_like(alphas[0])], dim=-1)
    return torch.linalg.matrix_norm(torch.diag_embed(diagonal) + torch.diag_embed(below[..., :-1], -1), 2)


def _unit(x: Tensor) -> tuple[Tensor, Tensor]:
    """Normalize vectors and return their lengths; zeros stay zeros."""
    length = x.norm(dim=-1)
    return x / torch.where(length > 0, length, 1)[:, None], length


def _orthogonalized(x: Tensor, others: Sequence[Tensor]) -> Tensor:
    """Orthogonalize x against unit vectors, twice for numerical stability."""
    for other in [*others, *others]:
        x = x - (x * other).sum(-1, keepdim=True) * other
    return x
