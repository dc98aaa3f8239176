"""
Reference implementations: a plain loop as in the lab sheet, and torch.nn.

Correctness and speed of the project's networks are compared with these. `copy_weights` gives them the same weights.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from charrnn.model import CharRNN


class PlainCell(nn.Module):
    """Vanilla cell of two linear layers: x (B, E), h (B, H) -> h' (B, H)."""

    def __init__(self, in_dim: int, hidden_dim: int):
        super().__init__()
        self.W_ih = nn.Linear(in_dim, hidden_dim, bias=False)
        self.W_hh = nn.Linear(hidden_dim, hidden_dim)

    def forward(self, x: Tensor, h: Tensor) -> Tensor:
        return torch.tanh(self.W_ih(x) + self.W_hh(h))


class PlainCharRNN(nn.Module):
    """The network of the lab sheet: embedding, Python loop over the cell, head."""

    def __init__(self, vocab_size: int, hidden_dim: int):
        super().__init__()
        self.embed = nn.Embedding(vocab_size, hidden_dim)
        self.cell = PlainCell(hidden_dim, hidden_dim)
        self.head = nn.Linear(hidden_dim, vocab_size)

    def forward(self, ids: Tensor) -> Tensor:
        """Map ids (B, T) to logits (B, T, V), from a zero state."""
        x = self.embed(ids)
        h = x.new_zeros(len(ids), x.shape[-1])
        states = []
        for t in range(ids.shape[1]):
            h = self.cell(x[:, t], h)
            states.append(h)
        return self.head(torch.stack(states, dim=1))

    @torch.no_grad()
    def sample(self, ids: Tensor, n: int, temperature: float) -> Tensor:
        """Continue ids (B, T) by n sampled characters, without filters -> (B, T + n)."""
        x = self.embed(ids)
        h = x.new_zeros(len(ids), x.shape[-1])
        for t in range(ids.shape[1]):
            h = self.cell(x[:, t], h)
        generated = [ids]
        for _ in range(n):
            probs = F.softmax(self.head(h) / temperature, dim=-1)
            last = torch.multinomial(probs, 1)  # (B, 1)
            generated.append(last)
            h = self.cell(self.embed(last.squeeze(1)), h)
        return torch.cat(generated, dim=1)

    def copy_weights(self, model: CharRNN) -> "PlainCharRNN":
        """Copy the weights of a vanilla network without layer norm; return self."""
        self.load_state_dict(model.state_dict())  # both use the parameter names of the lab sheet
        return self


class TorchCharRNN(nn.Module):
    """Network with `torch.nn.RNN`, `GRU` or `LSTM`."""

    LAYERS = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}

    def __init__(self, vocab_size: int, hidden_dim: int, cell: str = "rnn"):
        super().__init__()
        self.embed = nn.Embedding(vocab_size, hidden_dim)
        self.rnn = self.LAYERS[cell](hidden_dim, hidden_dim, batch_first=True)
        self.head = nn.Linear(hidden_dim, vocab_size)

    def forward(self, ids: Tensor) -> Tensor:
        """Map ids (B, T) to logits (B, T, V), from a zero state."""
        return self.head(self.rnn(self.embed(ids))[0])

    def copy_weights(self, model: CharRNN) -> "TorchCharRNN":
        """Copy the weights of a network with the same cell; return self."""
        self.embed.load_state_dict(model.embed.state_dict())
        self.head.load_state_dict(model.head.state_dict())
        weights = {"weight_ih_l0": model.cell.W_ih.weight, "weight_hh_l0": model.cell.W_hh.weight}
        biases = {"bias_ih_l0": torch.zeros_like(model.cell.W_hh.bias), "bias_hh_l0": model.cell.W_hh.bias}
        self.rnn.load_state_dict(weights | biases)
        return self


class Logits(nn.Module):
    """Wrap a network of the project to return only logits (B, T, V)."""

    def __init__(self, network: Any):
        super().__init__()
        self.network = network

    def forward(self, ids: Tensor) -> Tensor:
        return self.network.fast_forward(ids)[0]


def gradient_norms_by_autograd(model: CharRNN, windows: Tensor) -> Tensor:
    """
    Compute gradient norms by one autograd pass that retains every state.

    windows (N, K + 2) of ids: K + 1 states, the loss at the last of them -> norms (N, K + 1), lag 0 first.
    """
    states, state = [], model.cell.initial_state(len(windows))
    for t in range(windows.shape[1] - 1):
        state = model.cell(model.embed(windows[:, t]), state)
        states.append(state.h)
    loss = F.cross_entropy(model.head(states[-1]), windows[:, -1], reduction="sum")
    gradients = torch.autograd.grad(loss, states)
    return torch.stack([gradient.norm(dim=-1) for gradient in reversed(gradients)], dim=1)
