"""Training loop: truncated BPTT, learning rate schedule, clipping, resume state."""

import copy
import math
import time
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor, nn

from charrnn.corpus import Corpus
from charrnn.metrics import MAX_NATS, Metrics
from charrnn.registry import Network, build_model
from charrnn.seeds import STREAMS, seeded
from charrnn.training import resume_state
from charrnn.training.batches import ContiguousStreams, RandomWindows
from charrnn.training.evaluation import Read, evaluate_cold, evaluate_stream, loss_nats
from charrnn.training.recipes import Recipe, initialise

SAVED_STEPS = (0, 10, 100, 300, 1000)  # steps of the saved weights; the last step is the checkpoint itself
MEASURE_EVERY = 100
MAX_ROUNDING_NATS = 0.001
MAX_MEASURED = 1000  # points of a curve; longer runs are evaluated less often


def measured_every(recipe: Recipe) -> int:
    """Return the number of updates between two points of the curve."""
    return max(MEASURE_EVERY, math.ceil(recipe.steps / MAX_MEASURED))


def adamw(model: nn.Module, recipe: Recipe) -> torch.optim.AdamW:
    """Return the optimizer of a recipe; weight decay applies to matrices only."""
    matrices, vectors = ([p for p in model.parameters() if (p.dim() > 1) is wide] for wide in (True, False))
    groups = [{"params": matrices, "weight_decay": recipe.weight_decay}, {"params": vectors, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=recipe.rate(0), betas=(0.9, recipe.beta2), fused=True)


class DivergedError(ArithmeticError):
    """Training diverged: loss, gradient or weights are not finite or too large."""

    def __init__(self, step: int, loss_nats: float, grad_norm: float):
        super().__init__(f"training diverged at step {step}: loss {loss_nats}, gradient norm {grad_norm}")
        self.step = step


class Training:
    """
    A training run: model, optimizer and position; `advance` does one update.

    The seed determines initialization, windows and dropout; no other randomness is used. `state` returns everything
    needed to resume.
    """

    def __init__(self, corpus: Corpus, recipe: Recipe, seed: int = 0, device: str = "cpu"):
        self.corpus = corpus.require(recipe.seq_len + 1)
        self.device = torch.device(device)
        self._val_ids = self.corpus.val_ids.to(self.device)
        self._evaluated_ids = self._val_ids[: recipe.val_chars]  # during training
        self.recipe = recipe
        self.seed = int(seed)
        self.step = 0
        self.seconds = 0.0
        self.consistent = True  # False during an update and after one that failed: `state` is then not saved
        self.history: list[Metrics] = []
        self.saved: dict[int, dict[str, Tensor]] = {}
        self.data: str | None = None  # the path of the text; None for the downloaded one
        self._losses: list[float] = []
        self._grad_norm = 0.0
        self._rng, self._dropout_rng = seeded(seed), seeded(seed, self.device)
        cell_options = {"input_dropout": recipe.input_dropout, "recurrent_dropout": recipe.recurrent_dropout}
        self.model: Network = build_model(recipe.config, len(corpus.vocab), recipe.dropout, **cell_options)
        initialise(self.model, recipe, self._rng)
        self.model.to(self.device)
        self.optimizer = adamw(self.model, recipe)
        kind = ContiguousStreams if recipe.stateful else RandomWindows
        self._windows = kind(self.corpus.train_ids, recipe.batch, recipe.seq_len)

    @property
    def finished(self) -> bool:
        """Whether all updates of the recipe are done."""
        return self.step >= self.recipe.steps

    def advance(self) -> None:
        """
        Do one update.

        An error before the weights change leaves the run unchanged; a later one leaves it inconsistent. Raises
        DivergedError for a loss or gradient that is not finite, or a loss above MAX_NATS.
        """
        start = time.perf_counter()
        windows, rng, dropout_rng = copy.copy(self._windows), self._rng.get_state(), self._dropout_rng.get_state()
        try:
            x, y = (part.to(self.device) for part in self._windows.next(self._rng))
            self.optimizer.zero_grad()
            loss, state = loss_nats(self.model, x, y, self._windows.state, self._dropout_rng)
            loss.backward()
            grad_norm = nn.utils.clip_grad_norm_(self.model.parameters(), self.recipe.max_grad_norm or math.inf).item()
            if not (loss.item() <= MAX_NATS and math.isfinite(grad_norm)):
                raise DivergedError(self.step, loss.item(), grad_norm)
        except BaseException:  # out of memory, say: the same update can be done again
            self._windows = windows
            self._rng.set_state(rng)
            self._dropout_rng.set_state(dropout_rng)
            self.optimizer.zero_grad()  # frees memory for saving
            raise
        self.consistent = False
        for group in self.optimizer.param_groups:
            group["lr"] = self.recipe.rate(self.step)
        self.optimizer.step()
        self._windows.carry(state)
        self._losses.append(loss.item())
        self._grad_norm = grad_norm
        self.step += 1
        self.seconds += time.perf_counter() - start
        self.consistent = True

    def require_finite(self) -> None:
        """Raise DivergedError if an update produced weights that are not finite."""
        if not all(weight.isfinite().all() for weight in self.model.parameters()):
            raise DivergedError(self.step, self._losses[-1] if self._losses else math.nan, self._grad_norm)

    @property
    def last_update(self) -> tuple[float, float]:
        """Loss and gradient norm (before clipping) of the last update since an evaluation."""
        return self._losses[-1], self._grad_norm

    @property
    def should_evaluate(self) -> bool:
        """Whether an evaluation is due at this step."""
        due = self.step % measured_every(self.recipe) == 0 or self.step in SAVED_STEPS or self.finished
        return due and (not self.history or self.history[-1].step < self.step)

    def measure(self) -> Metrics:
        """
        Evaluate and add a point to the curve; save weights at SAVED_STEPS.

        Raises DivergedError for weights that are not finite or a loss above MAX_NATS.
        """
        self.require_finite()
        progress = self._point()
        if not progress.val_loss_nats <= MAX_NATS:
            raise DivergedError(self.step, progress.val_loss_nats, self._grad_norm)
        if self.recipe.keep_steps and self.step in SAVED_STEPS and not self.finished:
            self.saved[self.step] = {name: weight.half().cpu() for name, weight in self.model.state_dict().items()}
        self.history.append(progress)
        self._losses = []
        return progress

    def _point(self) -> Metrics:
        """Compute the point of the curve at this step."""
        start = time.perf_counter()
        if self._losses:
            train_loss = sum(self._losses) / len(self._losses)
        else:  # before the first update: the windows it will see
            x, y = copy.copy(self._windows).next(self._rng.clone_state())
            with torch.no_grad():
                train_loss = loss_nats(self.model, x.to(self.device), y.to(self.device))[0].item()
        val_loss = evaluate_stream(self.model, self._evaluated_ids)
        self.seconds += time.perf_counter() - start
        rate = self.recipe.rate(max(0, self.step - 1))
        return Metrics(self.step, train_loss, val_loss, self._grad_norm, rate, round(self.seconds, 3))

    @torch.no_grad()
    def round_to_fp16(self) -> None:
        """Round weights to fp16 unless the loss rises by MAX_ROUNDING_NATS."""
        before = copy.deepcopy(self.model.state_dict())
        exact = evaluate_stream(self.model, self._evaluated_ids)
        for weight in self.model.parameters():
            weight.copy_(weight.half())
        if not evaluate_stream(self.model, self._evaluated_ids) < exact + MAX_ROUNDING_NATS:
            self.model.load_state_dict(before)

    @property
    def final_chars(self) -> int:
        """Characters that `metrics` of a finished run reads: its text three times."""
        return 3 * len(self._val_ids)

    def metrics(self, read: Read = lambda characters: None) -> dict[str, Any]:
        """
        Return the metrics stored in the checkpoint, with both validation losses.

        Those of a finished run are of the whole validation text, else of the part that is read during training. read:
        called with the number of characters of each part that was read.
        """
        ids = self._val_ids if self.finished else self._evaluated_ids
        newest = self.history[-1]
        point = newest if newest.step == self.step else self._point()
        return {
            "train_loss_nats": point.train_loss_nats,
            "val_chars": len(ids),
            "val_stream_nats": evaluate_stream(self.model, ids, read),
            "val_cold_nats": evaluate_cold(self.model, ids, read),
            "val_halves_nats": [evaluate_stream(self.model, half, read) for half in ids.tensor_split(2)],
            "initial_loss_nats": self.history[0].train_loss_nats,
            "minutes": round(self.seconds / 60, 2),
        }

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Return everything needed to resume: tensors and JSON-compatible values."""
        tensors = {f"model.{name}": weight for name, weight in self.model.state_dict().items()}
        for i, moments in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{i}.{name}": value for name, value in moments.items()}
        for step, weights in self.saved.items():
            tensors |= {f"saved.{step}.{name}": weight for name, weight in weights.items()}
        carried, position = self._windows.position()
        tensors |= {f"carried.{name}": value for name, value in carried.items()}
        tensors |= {"rng": self._rng.get_state(), "dropout_rng": self._dropout_rng.get_state()}
        run = {
            "recipe": asdict(self.recipe),
            "seed": self.seed,
            "data_sha256": self.corpus.sha256,
            "data": self.data,
            "device": self.device.type,
            "step": self.step,
            "seconds": self.seconds,
            "position": position,
            "losses": self._losses,
            "grad_norm": self._grad_norm,
            "history": [asdict(progress) for progress in self.history],
        }
        return tensors, run

    @classmethod
    def resume(cls, corpus: Corpus, tensors: dict[str, Tensor], run: dict[str, Any], device: str = "cpu") -> "Training":
        """
        Restore a run from its `state`.

        Raises ValueError if the corpus differs or the state is invalid.
        """
        try:
            return cls._restored(corpus, tensors, run, device)
        except (KeyError, TypeError, AttributeError, IndexError, RuntimeError) as error:
            raise ValueError(f"this is not the state of a run ({error!r}): start again") from None

    @classmethod
    def _restored(cls, corpus: Corpus, tensors: dict[str, Tensor], run: dict[str, Any], device: str) -> "Training":
        recipe = resume_state.validate_resume_state(tensors, run, corpus)
        training = cls(corpus, recipe, run["seed"] % STREAMS, device)
        training.seed = run["seed"]  # earlier versions took larger seeds and drew with this remainder
        if (before := run.get("device", training.device.type)) != training.device.type:  # other random numbers
            raise ValueError(f"the run was on {before}: go on with --device {before}, or start again")
        parts: dict[str, dict[str, Tensor]] = {"model": {}, "optimizer": {}, "saved": {}, "carried": {}}
        for key, value in tensors.items():
            part, _, name = key.partition(".")
            if key not in ("rng", "dropout_rng"):
                parts[part][name] = value
        training.model.load_state_dict(parts["model"])
        optimizer = training.optimizer.state_dict()
        for key, value in parts["optimizer"].items():
            i, _, name = key.partition(".")
            optimizer["state"].setdefault(int(i), {})[name] = value
        training.optimizer.load_state_dict(optimizer)
        for key, value in parts["saved"].items():
            step, _, name = key.partition(".")
            training.saved.setdefault(int(step), {})[name] = value
        carried = {name: value.to(training.device) for name, value in parts["carried"].items()}
        model: Any = training.model
        state = type(model.cell.initial_state(1))(**carried) if carried else None
        training._windows.seek(state, run["position"])
        training._rng.set_state(tensors["rng"])
        training._dropout_rng.set_state(tensors["dropout_rng"])
        training.step, training.seconds = run["step"], run["seconds"]
        training.data = run.get("data")
        training._losses, training._grad_norm = run["losses"], run["grad_norm"]
        training.history = [Metrics.from_json(point) for point in run["history"]]
        training.require_finite()
        return training
