"""Eigenvalues and singular values of the recurrent weights."""

from dataclasses import dataclass

import numpy as np

from charrnn.cells import VanillaRNNCell
from charrnn.minigpt import MiniGPT
from charrnn.registry import Network


@dataclass(frozen=True)
class Spectrum:
    """
    Spectrum of one gate's block of W_hh, (H, H).

    bounds: whether its largest singular value bounds every step Jacobian, as in a vanilla cell without layer norm, J
    = diag(1 − h²) W_hh.
    """

    gate: str  # "h" for a vanilla cell, which has no gates; for an edited cell the index of the block
    eigenvalues: np.ndarray  # (H,) complex, by descending modulus
    singular_values: np.ndarray  # (H,) descending
    bounds: bool

    @property
    def radius(self) -> float:
        """Spectral radius ρ: the largest modulus of an eigenvalue."""
        return float(abs(self.eigenvalues[0]))

    @property
    def norm(self) -> float:
        """Largest singular value σ_max: the maximum growth of a vector."""
        return float(self.singular_values[0])


def spectra(model: Network) -> tuple[Spectrum, ...]:
    """
    Return the spectrum of each gate's recurrent weights, in float64.

    Raises ValueError for a model without recurrent weights.
    """
    if isinstance(model, MiniGPT):
        raise ValueError("MiniGPT has no recurrent weights W_hh: it has no eigenvalues to show")
    cell = model.cell
    edited = model.bptt_difference()
    bounds = isinstance(cell, VanillaRNNCell) and not cell.layer_norm and not edited
    names = cell.gate_names or ("h",)
    if edited and len(names) > 1 or len(names) != cell.gates:  # only `bptt` fixes the order of blocks
        names = tuple(f"rows {i + 1} of {cell.gates}" for i in range(cell.gates))
    parts = cell.W_hh.weight.detach().cpu().double().numpy().reshape(cell.gates, -1, cell.W_hh.in_features)
    return tuple(_spectrum(gate, W, bounds) for gate, W in zip(names, parts, strict=True))


def _spectrum(gate: str, W: np.ndarray, bounds: bool) -> Spectrum:
    eigenvalues = np.linalg.eigvals(W).astype(complex)
    return Spectrum(gate, eigenvalues[np.argsort(-abs(eigenvalues))], np.linalg.svd(W, compute_uv=False), bounds)
