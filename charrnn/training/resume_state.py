"""Validate a resume state, which may be damaged or from an untrusted source."""

from collections.abc import Iterable, Mapping
from typing import Any

from torch import Tensor

from charrnn.corpus import Corpus
from charrnn.metrics import LIMITS, MAX_NATS, Metrics
from charrnn.ranges import Check, check_fields, number, of_type, whole
from charrnn.registry import build_on_meta
from charrnn.training.recipes import Recipe

MAX_THREADS = 4096


def validate_resume_state(tensors: Mapping[str, Tensor], run: Mapping[str, Any], corpus: Corpus) -> Recipe:
    """Return the recipe of a run. Raises ValueError if invalid or of another text."""
    try:
        check_fields(run, ENTRIES)
        if run["data_sha256"] == corpus.sha256:
            return _recipe(tensors, run, corpus)
    except (TypeError, ValueError) as error:
        raise ValueError(f"this is not the state of a run: {error}; start again") from None
    raise ValueError(
        f"the run was trained on a text with sha256 {run['data_sha256'][:12]}…, not {corpus.sha256[:12]}…: "
        "give the same --data, or start again"
    )


def _recipe(tensors: Mapping[str, Tensor], run: Mapping[str, Any], corpus: Corpus) -> Recipe:
    recipe = Recipe(**run["recipe"])
    Metrics.curve(run["history"])
    if run["step"] > recipe.steps:
        raise ValueError(f"step {run['step']} of {recipe.steps}")
    limits = {"offset": recipe.seq_len, "start": len(corpus.train_ids)} if recipe.stateful else {}
    if run["position"].keys() != limits.keys():
        raise ValueError("its position is not in the text")
    check_fields(run["position"], {name: whole(most) for name, most in limits.items()})
    _require_tensors(tensors, recipe, len(corpus.vocab))
    return recipe


def state_shapes(
    recipe: Recipe, vocab_size: int, steps: Iterable[object], *, begun: bool, carried: bool
) -> dict[str, tuple[int, ...] | None]:
    """
    Return the tensors of a run's state with their shapes (None: random generators).

    steps: saved steps; begun: after the first update; carried: with a carried state.
    """
    model: Any = build_on_meta(recipe.config, vocab_size)
    weights = {name: tuple(weight.shape) for name, weight in model.state_dict().items()}
    shapes: dict[str, tuple[int, ...] | None] = {f"model.{name}": shape for name, shape in weights.items()}
    shapes |= {"rng": None, "dropout_rng": None}
    by_width = sorted(model.parameters(), key=lambda weight: weight.dim() <= 1)  # the optimiser has matrices first
    for i, weight in enumerate(by_width if begun else []):
        shape = tuple(weight.shape)
        shapes |= {f"optimizer.{i}.step": (), f"optimizer.{i}.exp_avg": shape, f"optimizer.{i}.exp_avg_sq": shape}
    shapes |= {f"saved.{step}.{name}": shape for step in steps for name, shape in weights.items()}
    if carried:
        state = model.cell.initial_state(recipe.batch)._asdict()
        shapes |= {f"carried.{name}": tuple(part.shape) for name, part in state.items()}
    return shapes


def _require_tensors(tensors: Mapping[str, Tensor], recipe: Recipe, vocab_size: int) -> None:
    """Raise ValueError unless exactly the expected tensors are present."""
    steps = {name.split(".")[1] for name in tensors if name.startswith("saved.")}
    if not all(step.isascii() and step.isdigit() and len(step) < 10 for step in steps):
        raise ValueError("it has saved steps that are no numbers")
    begun, carried = (any(name.startswith(part) for name in tensors) for part in ("optimizer.", "carried."))
    expected = state_shapes(recipe, vocab_size, steps, begun=begun, carried=carried and recipe.stateful)
    for name in sorted(expected.keys() | tensors.keys()):
        if name not in tensors:
            raise ValueError(f"it lacks {name}")
        if name not in expected:
            raise ValueError(f"{name[:80]!r} is not part of it")
        if expected[name] is not None and tuple(tensors[name].shape) != expected[name]:
            raise ValueError(f"{name} has the shape {list(tensors[name].shape)}, not {list(expected[name] or ())}")
        if (expected[name] is None) == tensors[name].is_floating_point():
            raise ValueError(f"{name} is stored as {tensors[name].dtype}")


LOSS, THREADS = number(MAX_NATS), whole(MAX_THREADS, least=1)
ENTRIES: dict[str, Check] = {
    "recipe": of_type(dict, "names with a value each"),
    "seed": whole(),
    "data_sha256": of_type(str, "a text"),
    "data": (lambda value: value is None or isinstance(value, str), "a path, or null"),
    "step": whole(),
    "seconds": number(LIMITS["seconds"]),
    "position": of_type(dict, "names with a value each"),
    "losses": of_type(list, f"a list, each {LOSS[1]}", lambda losses: all(map(LOSS[0], losses))),
    "grad_norm": number(LIMITS["grad_norm"]),
    "history": of_type(list, "a list"),
    "threads": (lambda value: value is None or THREADS[0](value), f"{THREADS[1]}, or null"),
}
