"""
Recompute the half-life of the vanilla network without the package's code.

    python scripts/dev/recompute_half_life.py                     Tiny Shakespeare, 4,096 positions
    python scripts/dev/recompute_half_life.py --data input.txt --positions 512

The weights are loaded into torch.nn.RNNCell in float64, the gradients are autograd's, the positions lie halfway between
those of the package. Both half-lives are resampled in blocks of positions, one resample after the other, and the 95 %
interval of their difference is printed. Exit code 1 if it does not contain 0.
"""

import argparse
import json
import math
import sys
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from charrnn.checkpoint import load
from charrnn.corpus import read_text, tiny_shakespeare
from charrnn.gradient_flow import norms_by_lag
from charrnn.paths import CHECKPOINTS

LAGS, BLOCK_CHARS, RESAMPLES = 40, 64, 1000
AT_ONCE = 512  # positions whose graphs are in memory


def network(folder: Path) -> tuple[nn.Embedding, nn.RNNCell, nn.Linear, dict[str, int]]:
    """Load the weights into torch.nn, float64; also return the id of each character."""
    weights = {name: tensor.double() for name, tensor in load_file(folder / "model.safetensors").items()}
    vocab_size, hidden = weights["embed.weight"].shape
    cell = nn.RNNCell(hidden, hidden, dtype=torch.float64)
    cell.load_state_dict(
        {
            "weight_ih": weights["cell.W_ih.weight"],
            "weight_hh": weights["cell.W_hh.weight"],
            "bias_ih": torch.zeros(hidden, dtype=torch.float64),
            "bias_hh": weights["cell.W_hh.bias"],
        }
    )
    head = nn.Linear(hidden, vocab_size, dtype=torch.float64)
    head.load_state_dict({"weight": weights["head.weight"], "bias": weights["head.bias"]})
    vocab = json.loads((folder / "config.json").read_text(encoding="utf-8"))["vocab"]
    return nn.Embedding.from_pretrained(weights["embed.weight"]), cell, head, {c: i for i, c in enumerate(vocab)}


def gradient_norms(
    embed: nn.Embedding, cell: nn.RNNCell, head: nn.Linear, ids: Tensor, positions: Tensor
) -> np.ndarray:
    """Return the gradient norms by lag and position: (LAGS + 1, P)."""
    with torch.no_grad():
        states, h = [], torch.zeros(cell.hidden_size, dtype=torch.float64)
        for x in embed(ids):
            h = cell(x, h)
            states.append(h)
        read = torch.stack(states)
    norms = []
    for part in positions.split(AT_ONCE):
        chain = [read[part - LAGS].requires_grad_()]
        for lag in range(LAGS - 1, -1, -1):
            chain.append(cell(embed(ids[part - lag]), chain[-1]))
        loss = nn.functional.cross_entropy(head(chain[-1]), ids[part + 1], reduction="sum")
        norms.append(torch.stack([gradient.norm(dim=1) for gradient in torch.autograd.grad(loss, chain)[::-1]]))
    return torch.cat(norms, dim=1).numpy()


def half_life(relative: np.ndarray) -> float:
    """Return where the median over positions falls to one half: (LAGS + 1, P)."""
    median = np.median(relative, axis=1)
    lag = int(np.argmax(median <= 0.5))
    return float(np.interp(math.log(2), -np.log(median[lag - 1 : lag + 1]), [lag - 1, lag]))


def resampled(relative: np.ndarray, block: int, rng: np.random.Generator) -> np.ndarray:
    """Return the half-lives of resamples made of blocks of positions."""
    positions = relative.shape[1]
    starts = rng.integers(positions - block + 1, size=(RESAMPLES, positions // block))
    return np.array([half_life(relative[:, (row[:, None] + np.arange(block)).ravel()]) for row in starts])


def main() -> int:
    """Print both half-lives and the interval of their difference."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="the text it was trained on (default: Tiny Shakespeare)")
    parser.add_argument("--positions", type=int, default=4096)
    options = parser.parse_args()
    text = read_text(options.data) if options.data else tiny_shakespeare()
    embed, cell, head, id_of = network(CHECKPOINTS / "rnn")
    ids = torch.tensor([id_of[character] for character in text[int(0.9 * len(text)) :]])
    own = torch.linspace(128, len(ids) - 2, options.positions, dtype=torch.float64).round().long()
    others = own - (own[1] - own[0]) // 2
    block = math.ceil(BLOCK_CHARS * options.positions / len(ids))
    rng = np.random.default_rng(0)
    found = []
    for name, norms in (
        ("charrnn", norms_by_lag(load(CHECKPOINTS / "rnn").model, ids, own, LAGS).numpy()),
        ("torch.nn.RNNCell", gradient_norms(embed, cell, head, ids, others)),
    ):
        relative = norms / norms[0]
        found.append((half_life(relative), resampled(relative, block, rng)))
        low, high = np.quantile(found[-1][1], [0.025, 0.975])
        print(f"{name}: {found[-1][0]:.4f} characters ({low:.4f} to {high:.4f}) at {norms.shape[1]:,} positions")
    (a, a_drawn), (b, b_drawn) = found
    low, high = np.quantile(a_drawn - b_drawn, [0.025, 0.975])
    print(f"difference: {a - b:+.4f} ({low:+.4f} to {high:+.4f})")
    return 0 if low <= 0 <= high else 1


if __name__ == "__main__":
    sys.exit(main())
