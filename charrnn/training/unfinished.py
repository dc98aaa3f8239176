"""The state of an unfinished run, checked before anything is built from it: the file may be damaged, or anybody's."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from torch import Tensor

from charrnn.corpus import Corpus
from charrnn.metrics import LIMITS, MOST_NATS, Progress
from charrnn.networks import blueprint
from charrnn.training.recipes import Recipe

MOST_THREADS = 4096


def require(tensors: Mapping[str, Tensor], run: Mapping[str, Any], corpus: Corpus) -> Recipe:
    """The recipe of the run. Raises ValueError, with what is wrong, for a state that is none of a run on this text."""
    for key, (fits, expected) in ENTRIES.items():
        if not fits(run.get(key)):
            raise ValueError(f"this is not the state of a run: its {key} must be {expected}; start anew")
    if run["data_sha256"] != corpus.sha256:
        raise ValueError(
            f"the run was trained on a text with sha256 {run['data_sha256'][:12]}…, not {corpus.sha256[:12]}…: "
            "give the same --data, or start anew"
        )
    try:
        recipe = Recipe(**run["recipe"])
        Progress.curve(run["history"])
    except (TypeError, ValueError) as error:
        raise ValueError(f"this is not the state of a run: {error}; start anew") from None
    if run["step"] > recipe.steps:
        raise ValueError(f"this is not the state of a run: step {run['step']} of {recipe.steps}; start anew")
    _require_position(run["position"], recipe, corpus)
    _require_tensors(tensors, recipe, len(corpus.vocab))
    return recipe


def _require_position(position: Mapping[str, Any], recipe: Recipe, corpus: Corpus) -> None:
    limits = {"offset": recipe.seq_len, "start": len(corpus.train_ids)} if recipe.stateful else {}
    if position.keys() != limits.keys() or not all(_is_whole(position[key], most) for key, most in limits.items()):
        raise ValueError("this is not the state of a run: its position is not one in the text; start anew")


def state_shapes(
    recipe: Recipe, vocab_size: int, steps: Iterable[object], *, begun: bool, carried: bool
) -> dict[str, tuple[int, ...] | None]:
    """
    The tensors of the state of a run and their shapes; None for those of random generators.

    steps: those whose weights are kept; begun: after the first update; carried: with a state carried along.
    """
    model: Any = blueprint(recipe.config, vocab_size)
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
    """Every tensor there that must be, none that must not, and each of the shape that the recipe says."""
    steps = {name.split(".")[1] for name in tensors if name.startswith("saved.")}
    if not all(step.isascii() and step.isdigit() and len(step) < 10 for step in steps):
        raise ValueError("this is not the state of a run: it has saved steps that are no numbers; start anew")
    begun, carried = (any(name.startswith(part) for name in tensors) for part in ("optimizer.", "carried."))
    expected = state_shapes(recipe, vocab_size, steps, begun=begun, carried=carried and recipe.stateful)
    for name in sorted(expected.keys() | tensors.keys()):
        if name not in tensors:
            raise ValueError(f"this is not the state of a run: it lacks {name}; start anew")
        if name not in expected:
            raise ValueError(f"this is not the state of a run: it has no use for {name[:80]!r}; start anew")
        if expected[name] is not None and tuple(tensors[name].shape) != expected[name]:
            raise ValueError(
                f"this is not the state of a run: {name} has the shape {list(tensors[name].shape)}, not "
                f"{list(expected[name] or ())}; start anew"
            )
        if (expected[name] is None) == tensors[name].is_floating_point():
            raise ValueError(f"this is not the state of a run: {name} is stored as {tensors[name].dtype}; start anew")


def _is_whole(value: Any, most: int = 2**63 - 1) -> bool:
    return type(value) is int and 0 <= value <= most


def _is_number(value: Any, most: float = MOST_NATS) -> bool:
    return type(value) in (int, float) and 0 <= value <= most


ENTRIES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "recipe": (lambda value: isinstance(value, dict), "names with a value each"),
    "seed": (_is_whole, "a whole number"),
    "data_sha256": (lambda value: isinstance(value, str), "a text"),
    "data": (lambda value: value is None or isinstance(value, str), "a path, or null"),
    "step": (_is_whole, "a whole number"),
    "seconds": (lambda value: _is_number(value, LIMITS["seconds"]), f"a number, 0 to {LIMITS['seconds']:g}"),
    "position": (lambda value: isinstance(value, dict), "names with a value each"),
    "losses": (lambda value: isinstance(value, list) and all(map(_is_number, value)), f"numbers, 0 to {MOST_NATS}"),
    "grad_norm": (lambda value: _is_number(value, LIMITS["grad_norm"]), f"a number, 0 to {LIMITS['grad_norm']:g}"),
    "history": (lambda value: isinstance(value, list), "a list"),
    "threads": (lambda value: value is None or _is_whole(value, MOST_THREADS) and value > 0, f"1 to {MOST_THREADS}"),
}
