"""The training loop: truncated BPTT on random windows, schedule, clipping, evaluation."""

import math
import time
from dataclasses import asdict, dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from charrnn.corpus import Corpus, contiguous_streams, random_windows, windows_in_order
from charrnn.metrics import Progress
from charrnn.model import CharRNN

SAVED_STEPS = (0, 10, 30, 100, 300, 1000)  # the time machine's stops; the last step comes with the checkpoint itself
MEASURE_EVERY = 100
MOST_MEASURED = 1000  # points of a curve; a longer run is measured less often
VAL_STREAMS = 64
VAL_WINDOW = 256
CHUNK, COLD_BATCH = 512, 128  # characters of the streams and windows that are read at once; a matter of memory alone


class DivergedError(ArithmeticError):
    """The loss, its gradient or the weights stopped being numbers."""

    def __init__(self, step: int, loss_nats: float, grad_norm: float):
        super().__init__(f"training diverged at step {step}: loss {loss_nats}, gradient norm {grad_norm}")
        self.step = step


@dataclass(frozen=True)
class Recipe:
    """
    How a checkpoint is trained; the defaults are the lab sheet's recipe.

    learning_rate is the peak, reached after warmup_steps; then a cosine down to final_rate times the peak (1: none).
    max_grad_norm 0 is no clipping. initialisation: `default` (torch.nn's) or `orthogonal` (W_hh; its bias zero).
    Raises ValueError for a value that cannot work.
    """

    steps: int = 2000
    batch: int = 64
    seq_len: int = 128
    hidden_dim: int = 256
    learning_rate: float = 1e-3
    warmup_steps: int = 0
    final_rate: float = 1.0
    beta2: float = 0.999
    weight_decay: float = 0.01
    max_grad_norm: float = 5.0
    initialisation: str = "default"

    def __post_init__(self) -> None:
        limits = {
            "steps": (0, 10**7),
            "batch": (1, 65536),
            "seq_len": (1, 65536),
            "hidden_dim": (1, 4096),
            "learning_rate": (0, 1000),
            "warmup_steps": (0, 10**7),
            "final_rate": (0, 1),
            "beta2": (0, 1 - 1e-9),
            "weight_decay": (0, 1000),
            "max_grad_norm": (0, 10**9),
        }
        for name, (low, high) in limits.items():
            value = getattr(self, name)
            if not low <= value <= high:
                raise ValueError(f"{name} is {value}: give {low} to {high:g}")
        if self.initialisation not in ("default", "orthogonal"):
            raise ValueError(f"initialisation is {self.initialisation!r}: give 'default' or 'orthogonal'")

    def rate(self, step: int) -> float:
        """The learning rate of the update number `step`, from 0."""
        if step < self.warmup_steps:
            return self.learning_rate * (step + 1) / self.warmup_steps
        done = (step - self.warmup_steps) / max(1, self.steps - self.warmup_steps)
        return self.learning_rate * (self.final_rate + (1 - self.final_rate) * (1 + math.cos(math.pi * done)) / 2)


RECIPES = {
    "tuned": Recipe(
        learning_rate=8e-3,
        warmup_steps=100,
        final_rate=0.02,
        beta2=0.99,
        max_grad_norm=1.0,
        initialisation="orthogonal",
    ),
    "lab": Recipe(),
}


def initialise(model: CharRNN, initialisation: str, rng: torch.Generator) -> None:
    """Draw the weights anew: torch.nn's default distributions, and W_hh orthogonal if so asked. Saxe et al. 2014."""
    for module in model.modules():
        if isinstance(module, nn.Embedding):
            nn.init.normal_(module.weight, generator=rng)
        elif isinstance(module, nn.Linear):
            bound = module.in_features**-0.5
            for parameter in module.parameters():
                nn.init.uniform_(parameter, -bound, bound, generator=rng)
    if initialisation == "orthogonal":
        nn.init.orthogonal_(model.cell.W_hh.weight, generator=rng)
        nn.init.zeros_(model.cell.W_hh.bias)


def loss_nats(model: CharRNN, x: Tensor, y: Tensor) -> Tensor:
    """The mean cross-entropy of the characters y (B, T) that follow those of x (B, T), from a zero state."""
    logits, _ = model.fast_forward(x)
    return F.cross_entropy(logits.transpose(0, 1).flatten(0, 1), y.t().flatten())  # time first: no copy of the logits


class Training:
    """
    One run: a model, its optimiser and where it stands; `advance` is one step, `state` everything needed to go on.

    The seed decides the weights at the start and the windows; no other randomness is used.
    """

    def __init__(self, corpus: Corpus, recipe: Recipe, seed: int = 0):
        self.corpus = corpus.require(recipe.seq_len + 1)
        self.recipe = recipe
        self.seed = seed
        self.step = 0
        self.seconds = 0.0
        self.history: list[Progress] = []
        self.saved: dict[int, dict[str, Tensor]] = {}
        self._losses: list[float] = []
        self._grad_norm = 0.0
        self._rng = torch.Generator().manual_seed(seed)
        self.model = CharRNN(len(corpus.vocab), recipe.hidden_dim)
        initialise(self.model, recipe.initialisation, self._rng)
        self.optimizer = torch.optim.AdamW(
            self.model.parameters(), betas=(0.9, recipe.beta2), weight_decay=recipe.weight_decay, fused=True
        )

    @property
    def finished(self) -> bool:
        """Whether every update of the recipe is done."""
        return self.step >= self.recipe.steps

    def advance(self) -> None:
        """One update. Raises DivergedError where loss or gradient is not finite; the weights then stay as they were."""
        start = time.perf_counter()
        x, y = random_windows(self.corpus.train_ids, self.recipe.batch, self.recipe.seq_len, self._rng)
        self.optimizer.zero_grad()
        loss = loss_nats(self.model, x, y)
        loss.backward()
        grad_norm = nn.utils.clip_grad_norm_(self.model.parameters(), self.recipe.max_grad_norm or math.inf).item()
        if not (math.isfinite(loss.item()) and math.isfinite(grad_norm)):
            raise DivergedError(self.step, loss.item(), grad_norm)
        for group in self.optimizer.param_groups:
            group["lr"] = self.recipe.rate(self.step)
        self.optimizer.step()
        self._losses.append(loss.item())
        self._grad_norm = grad_norm
        self.step += 1
        self.seconds += time.perf_counter() - start

    def require_finite(self) -> None:
        """Raises DivergedError where an update has left weights that are no numbers: nothing to keep."""
        if not all(weight.isfinite().all() for weight in self.model.parameters()):
            raise DivergedError(self.step, self._losses[-1] if self._losses else math.nan, self._grad_norm)

    @property
    def measure_due(self) -> bool:
        """Whether this step is a point of the curve that has not been measured yet."""
        every = max(MEASURE_EVERY, math.ceil(self.recipe.steps / MOST_MEASURED))
        due = self.step % every == 0 or self.step in SAVED_STEPS or self.finished
        return due and (not self.history or self.history[-1].step < self.step)

    def measure(self) -> Progress:
        """The next point of the curve, with validation; keeps the weights where the step is one of SAVED_STEPS."""
        self.require_finite()
        progress = self._point()
        self.history.append(progress)
        self._losses = []
        if self.step in SAVED_STEPS and not self.finished:
            self.saved[self.step] = {name: weight.half() for name, weight in self.model.state_dict().items()}
        return progress

    def _point(self) -> Progress:
        """Where the curve stands at this step."""
        start = time.perf_counter()
        if self._losses:
            train_loss = sum(self._losses) / len(self._losses)
        else:  # before the first update: the windows it will see
            rng = self._rng.clone_state()
            with torch.no_grad():
                windows = random_windows(self.corpus.train_ids, self.recipe.batch, self.recipe.seq_len, rng)
                train_loss = loss_nats(self.model, *windows).item()
        val_loss = evaluate_stream(self.model, self.corpus.val_ids)
        self.seconds += time.perf_counter() - start
        rate = self.recipe.rate(max(0, self.step - 1))
        return Progress(self.step, train_loss, val_loss, self._grad_norm, rate, round(self.seconds, 3))

    def metrics(self) -> dict[str, Any]:
        """What the checkpoint says of itself; both validation figures by the protocol of `evaluate_*`."""
        newest = self.history[-1]
        point = newest if newest.step == self.step else self._point()
        return {
            "train_loss_nats": point.train_loss_nats,
            "val_stream_nats": point.val_loss_nats,
            "val_cold_nats": evaluate_cold(self.model, self.corpus.val_ids),
            "initial_loss_nats": self.history[0].train_loss_nats,
            "minutes": round(self.seconds / 60, 2),
        }

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Everything a run needs to go on as if it had not stopped: tensors, and what fits into JSON."""
        tensors = {f"model.{name}": weight for name, weight in self.model.state_dict().items()}
        for i, moments in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{i}.{name}": value for name, value in moments.items()}
        for step, weights in self.saved.items():
            tensors |= {f"saved.{step}.{name}": weight for name, weight in weights.items()}
        tensors["rng"] = self._rng.get_state()
        run = {
            "recipe": asdict(self.recipe),
            "seed": self.seed,
            "data_sha256": self.corpus.sha256,
            "step": self.step,
            "seconds": self.seconds,
            "losses": self._losses,
            "grad_norm": self._grad_norm,
            "history": [asdict(progress) for progress in self.history],
        }
        return tensors, run

    @classmethod
    def resume(cls, corpus: Corpus, tensors: dict[str, Tensor], run: dict[str, Any]) -> "Training":
        """A run from its `state`. Raises ValueError where the corpus is another, or the state not that of a run."""
        try:
            return cls._restored(corpus, tensors, run)
        except (KeyError, TypeError, AttributeError, IndexError, RuntimeError) as error:
            raise ValueError(f"this is not the state of a run ({error!r}): start anew") from None

    @classmethod
    def _restored(cls, corpus: Corpus, tensors: dict[str, Tensor], run: dict[str, Any]) -> "Training":
        if run["data_sha256"] != corpus.sha256:
            raise ValueError(
                f"the run was trained on a text with sha256 {run['data_sha256'][:12]}…, not {corpus.sha256[:12]}…: "
                "give the same --data, or start anew"
            )
        training = cls(corpus, Recipe(**run["recipe"]), run["seed"])
        parts: dict[str, dict[str, Tensor]] = {"model": {}, "optimizer": {}, "saved": {}}
        for key, value in tensors.items():
            if key != "rng":
                part, _, name = key.partition(".")
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
        training._rng.set_state(tensors["rng"])
        training.step = int(run["step"])
        training.seconds = float(run["seconds"])
        training._losses = [float(loss) for loss in run["losses"]]
        training._grad_norm = float(run["grad_norm"])
        training.history = [Progress.from_json(point) for point in run["history"]]
        training.require_finite()
        return training


@torch.no_grad()
def evaluate_stream(model: CharRNN, ids: Tensor) -> float:
    """
    Nats per character with the state carried along: ids (N,) as 64 contiguous streams, each read from start to end.

    The first character of a stream is not predicted. A text too short for 64 streams of a window is cut into fewer.
    """
    rows = contiguous_streams(ids, max(1, min(VAL_STREAMS, len(ids) // VAL_WINDOW)))
    state, total = None, 0.0
    for start in range(0, rows.shape[1] - 1, CHUNK):
        x = rows[:, start : min(start + CHUNK, rows.shape[1] - 1)]
        y = rows[:, start + 1 : start + 1 + x.shape[1]]
        logits, state = model.fast_forward(x, state)
        total += F.cross_entropy(logits.flatten(0, 1), y.flatten(), reduction="sum").item()
    return total / (rows.shape[0] * (rows.shape[1] - 1))


@torch.no_grad()
def evaluate_cold(model: CharRNN, ids: Tensor) -> float:
    """Nats per character over non-overlapping windows of 256 characters, each read from a zero state."""
    windows = windows_in_order(ids, min(VAL_WINDOW, len(ids) - 1))
    some = zip(*(part.split(COLD_BATCH) for part in windows), strict=True)
    total = sum(loss_nats(model, x, y).item() * len(x) for x, y in some)
    return total / len(windows[0])
