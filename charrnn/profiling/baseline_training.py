"""The project's training step for any network, as a baseline."""

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor, nn

from charrnn.corpus import random_windows
from charrnn.seeds import seeded
from charrnn.training import Recipe, Training, adamw


class PlainTraining:
    """
    `charrnn.training.Training`'s step for a module (B, T) -> logits (B, T, V).

    Same windows, optimizer and clipping; the learning rate is constant, that of the first step.
    """

    def __init__(self, model: nn.Module, ids: Tensor, recipe: Recipe, seed: int = 0):
        self.model, self.ids, self.recipe = model, ids, recipe
        self.rng = seeded(seed)
        self.device = next(model.parameters()).device
        self.optimizer = adamw(model, recipe)

    def advance(self, lap: Callable[[str], None] = lambda part: None) -> float:
        """
        Do one update and return its loss in nats per character.

        Calls `lap` with the name of each part when it ends.
        """
        x, y = random_windows(self.ids, self.recipe.batch, self.recipe.seq_len, self.rng)
        x, y = x.to(self.device), y.to(self.device)
        self.optimizer.zero_grad()
        lap("the rest")
        logits = self.model(x).transpose(0, 1)  # time first: as recurrent layers leave it
        loss = F.cross_entropy(logits.flatten(0, 1), y.t().flatten())
        lap("head and loss")
        loss.backward()
        lap("backward: the rest")
        nn.utils.clip_grad_norm_(self.model.parameters(), self.recipe.max_grad_norm)
        self.optimizer.step()
        lap("optimiser")
        return loss.item()


def plain_training(network: nn.Module, training: Training) -> PlainTraining:
    """Return a baseline of another network, with the text, recipe and seed of a run."""
    return PlainTraining(network.to(training.device), training.corpus.train_ids, training.recipe, training.seed)
