"""Training recipes of the bundled checkpoints, and weight initialization."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor, nn

from charrnn import minigpt
from charrnn.cells import GRUCell, LSTMCell
from charrnn.ranges import Range
from charrnn.registry import KINDS, Network, build_model
from charrnn.registry import LIMITS as ARCHITECTURE_LIMITS
from charrnn.seeds import seeded

INITIALISATIONS = ("default", "orthogonal", "chrono")
LIMITS = {
    "hidden_dim": ARCHITECTURE_LIMITS["hidden_dim"],
    "steps": Range(0, 10**7, whole=True),
    "batch": Range(1, 65536, whole=True),
    "seq_len": Range(1, 65536, whole=True),
    "learning_rate": Range(0, 1000),
    "warmup_steps": Range(0, 10**7, whole=True),
    "final_rate": Range(0, 1),
    "beta2": Range(0, 1 - 1e-9),
    "weight_decay": Range(0, 1000),
    "dropout": Range(0, 0.99),
    "input_dropout": Range(0, 0.99),
    "recurrent_dropout": Range(0, 0.99),
    "max_grad_norm": Range(0, 10**9, zero="no clipping"),
    "val_chars": Range(512, 10**9, whole=True),
}


@dataclass(frozen=True)
class Recipe:
    """
    Training settings; the defaults are the lab sheet's recipe.

    learning_rate is the peak, reached after warmup_steps, followed by a cosine to final_rate times the peak (1:
    constant). max_grad_norm 0 disables clipping. weight_decay applies to matrices. stateful: contiguous streams with
    carried state, reset at the epoch boundary. MiniGPT's context is seq_len; its dropout applies in every layer, that
    of a recurrent network to the output. initialisation: `default` (torch.nn's; MiniGPT its own), `orthogonal` (W_hh;
    zero biases, forget gates 1) or `chrono` (orthogonal, with forget gate biases for time scales up to seq_len
    characters). keep_steps: save intermediate weights. val_chars: characters of the validation text read at each
    evaluation; the final losses use all of it. Raises ValueError for invalid values.
    """

    cell: str = "rnn"
    hidden_dim: int = 256
    layer_norm: bool = False
    stateful: bool = False
    steps: int = 2000
    batch: int = 64
    seq_len: int = 128
    learning_rate: float = 1e-3
    warmup_steps: int = 0
    final_rate: float = 1.0
    beta2: float = 0.999
    weight_decay: float = 0.01
    dropout: float = 0.0
    input_dropout: float = 0.0
    recurrent_dropout: float = 0.0
    max_grad_norm: float = 5.0
    initialisation: str = "default"
    keep_steps: bool = False
    val_chars: int = 131_072

    def __post_init__(self) -> None:
        for field in fields(self):
            value, kind = getattr(self, field.name), type(field.default)
            if type(value) is not kind and not (kind is float and type(value) is int):
                raise ValueError(f"{field.name} is {value!r}: it must be of type {kind.__name__}")
        for name, limits in LIMITS.items():
            limits.require(name, getattr(self, name))
        for name, choices in (("cell", KINDS), ("initialisation", INITIALISATIONS)):
            if getattr(self, name) not in choices:
                raise ValueError(f"{name} is {getattr(self, name)!r}: give one of {', '.join(choices)}")
        if self.cell == "minigpt":
            required = {"layer_norm": False, "stateful": False, "initialisation": "default"}
            required |= {"input_dropout": 0.0, "recurrent_dropout": 0.0}
            for name, value in required.items():
                if getattr(self, name) != value:
                    raise ValueError(
                        f"{name} is {getattr(self, name)!r}: that is for recurrent cells, leave it {value}"
                    )

    @property
    def config(self) -> dict[str, Any]:
        """The architecture."""
        if self.cell == "minigpt":
            return {"cell": "minigpt", "hidden_dim": self.hidden_dim, "context": self.seq_len}
        return {"cell": self.cell, "hidden_dim": self.hidden_dim, "layer_norm": self.layer_norm}

    def rate(self, step: int) -> float:
        """Return the learning rate of update `step`, from 0."""
        if step < self.warmup_steps:
            return self.learning_rate * (step + 1) / self.warmup_steps
        done = (step - self.warmup_steps) / max(1, self.steps - self.warmup_steps)
        return self.learning_rate * (self.final_rate + (1 - self.final_rate) * (1 + math.cos(math.pi * done)) / 2)


_TUNED = Recipe(
    learning_rate=8e-3,
    warmup_steps=100,
    final_rate=0.02,
    beta2=0.99,
    max_grad_norm=1.0,
    initialisation="orthogonal",
)
_GATED = replace(_TUNED, stateful=True, learning_rate=6e-3, weight_decay=0.1, dropout=0.2)

RECIPES = {
    "rnn": replace(_TUNED, keep_steps=True),
    "rnn-lab": Recipe(),
    "rnn-layernorm": replace(_TUNED, layer_norm=True),
    "rnn-stateful": replace(_TUNED, stateful=True),
    "rnn-seq256": replace(_TUNED, seq_len=256, batch=32),
    "rnn-seq512": replace(_TUNED, seq_len=512, batch=16),
    "gru": replace(_GATED, cell="gru", keep_steps=True),
    "lstm": replace(_GATED, cell="lstm", keep_steps=True),
    "lstm-layernorm": replace(_GATED, cell="lstm", layer_norm=True),
    "best": replace(
        _GATED,
        cell="lstm",
        hidden_dim=448,
        layer_norm=True,
        steps=5000,
        learning_rate=3e-3,
        dropout=0.5,
        input_dropout=0.1,
        recurrent_dropout=0.3,
    ),
    "minigpt": Recipe(
        cell="minigpt",
        hidden_dim=128,
        learning_rate=3e-3,
        warmup_steps=100,
        final_rate=0.02,
        beta2=0.99,
        weight_decay=0.1,
        dropout=0.1,
        max_grad_norm=1.0,
        keep_steps=True,
    ),
}


def default_recipe(cell: str) -> Recipe:
    """Return the recipe of a cell; an added cell gets that of the vanilla one."""
    return RECIPES[cell] if cell in RECIPES else replace(RECIPES["rnn"], cell=cell)


def initialise(model: Network, recipe: Recipe, rng: torch.Generator) -> None:
    """
    Initialize the weights as the recipe specifies.

    Orthogonal: Saxe et al. 2014. Forget gate bias: Gers et al. 2000, Jozefowicz et al. 2015; chrono: Tallec and
    Ollivier 2018.
    """
    if isinstance(model, minigpt.MiniGPT):
        minigpt.initialise(model, rng)
        return
    for module in model.modules():
        if isinstance(module, nn.Embedding):
            nn.init.normal_(module.weight, generator=rng)
        elif isinstance(module, nn.Linear):
            bound = module.in_features**-0.5
            for parameter in module.parameters():
                nn.init.uniform_(parameter, -bound, bound, generator=rng)
        elif isinstance(module, nn.LayerNorm):
            module.reset_parameters()
    if recipe.initialisation == "default":
        return
    cell = model.cell
    for block in cell.W_hh.weight.data.split(model.hidden_dim):
        nn.init.orthogonal_(block, generator=rng)
    if cell.W_hh.bias is not None:
        nn.init.zeros_(cell.W_hh.bias)
    # layer norm would remove a bias that is added before it
    shifts = {name: cell.norm[name].bias.data for name in cell.normed} if cell.layer_norm else _biases(cell)
    log_scale = torch.ones(model.hidden_dim)  # ln of each unit's time scale in characters
    if recipe.initialisation == "chrono":
        nn.init.uniform_(log_scale, 1, max(2, recipe.seq_len - 1), generator=rng).log_()
    gate_biases = {}
    if isinstance(cell, LSTMCell):
        gate_biases = {"f": log_scale, "i": -log_scale} if recipe.initialisation == "chrono" else {"f": log_scale}
    elif isinstance(cell, GRUCell) and recipe.initialisation == "chrono":
        gate_biases = {"z": log_scale}
    for name in gate_biases.keys() & shifts.keys():  # an edited cell may have no such gate, or no bias
        shifts[name].copy_(gate_biases[name])


@torch.enable_grad()
def _biases(cell: Any) -> dict[str, Tensor]:
    """Return the slices of the recurrent bias by gate, measured on `update`."""
    if cell.W_hh.bias is None:
        return {}
    sums = torch.zeros(1, cell.W_hh.out_features, requires_grad=True)
    _, gates = cell.update(torch.zeros_like(sums), sums, cell.initial_state(1))
    biases = {}
    for name, gate in gates._asdict().items():
        (gradient,) = torch.autograd.grad(
            gate.sum(), sums, retain_graph=True, allow_unused=True, materialize_grads=True
        )
        rows = gradient[0].nonzero()[:, 0]
        if len(rows) == cell.W_hh.in_features and rows[-1] - rows[0] == len(rows) - 1:
            biases[name] = cell.W_hh.bias.data[rows[0] : rows[-1] + 1]
    return biases


def untrained(config: Mapping[str, Any], vocab_size: int, recipe: Mapping[str, Any], seed: int) -> Network:
    """
    Return a network as its training would start, for comparison with a trained one.

    recipe: as stored in a checkpoint; an invalid one gives torch.nn's initialization.
    """
    model, rng = build_model(config, vocab_size), seeded(seed)
    known = {field.name for field in fields(Recipe)}
    try:
        stored_recipe = Recipe(**{name: value for name, value in recipe.items() if name in known})
    except (TypeError, ValueError):
        stored_recipe = Recipe()
    initialise(model, stored_recipe, rng)
    return model
