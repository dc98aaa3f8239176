"""
Neurons, exercises: tasks that are checked by measuring the picked model.

To add an exercise, add a record. No answer is stored: a submission is right if its measurement is within the limits.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from charrnn.bootstrap import with_interval
from charrnn.neurons import all_activations
from charrnn.number_format import counted
from charrnn.probes import CARRY_DISTANCE, CONTEXT_LENGTHS, NEGLIGIBLE_NATS, ContextAblation, ablate_context, line_reset
from charrnn.ranges import Range
from charrnn.ui.neurons.switch_network import network_with
from charrnn.ui.server.analyses import gradient_of, text_for
from charrnn.ui.server.checkpoint_store import LoadedModel, Store
from charrnn.ui.server.clamp_requests import ActivationStats, clamps_of
from charrnn.ui.server.model_pair import with_step
from charrnn.ui.server.page_messages import error_sentence
from charrnn.ui.server.streaming import message
from charrnn.ui.server.view_query import IsCurrent, ViewQuery, require_current

MAX_READ_CHARS = 3500  # of the held-out text: a second or two
MAX_REMAINING, MIN_CARRIED = 0.25, 0.5  # share of a unit's spread after a line end; correlation along a line
MAX_CONTEXT, MIN_READ_NATS = 2, 0.1  # characters; effect of the last ones on the prediction
MAX_FACTOR = 1.5  # between guess and half-life


@dataclass(frozen=True)
class CheckResult:
    """
    The result of a check: correctness, a sentence, and measured values by name.

    reveals: whether they contain the answer.
    """

    passed: bool
    words: str
    values: tuple[tuple[str, str], ...]
    reveals: bool = False


class NeedsNetwork(ValueError):
    """An exercise needs another network; other: its name and title, or None."""

    def __init__(self, reason: str, other: dict[str, str] | None):
        super().__init__(reason)
        self.other = other


@dataclass(frozen=True)
class Exercise:
    """
    An exercise, its form and its check.

    how: explains the measurement, its text and the limits. fields: inputs of the form (`part`, `unit`, `guess`).
    from_clamps: whether the applied clamps are submitted. reveals: the result contains the answer: one attempt. cell:
    that a network must have.
    """

    id: str
    title: str
    question: str
    how: str
    button: str
    check: Callable[[Store, LoadedModel, ViewQuery], CheckResult]
    fields: tuple[str, ...] = ()
    from_clamps: bool = False
    reveals: bool = False
    cell: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the exercise as the page reads it."""
        return {key: value for key, value in asdict(self).items() if key != "check"}


def exercise_results(store: Store, query: ViewQuery, is_current: IsCurrent) -> Iterator[str]:
    """Stream the exercises, and the result of a submitted one.

    Raises ValueError, Superseded.
    """
    loaded = store.load(query.choice.name, query.choice.step)
    parts = [
        {"name": name, "units": stats.shape[1]} for name, stats in ActivationStats.of(store, loaded).values.items()
    ]
    cells = {"", *(info.cell for info in store.checkpoints())}
    by_id = {exercise.id: exercise for exercise in EXERCISES if exercise.cell in cells}
    shown = {
        "exercises": [exercise.to_json() for exercise in by_id.values()],
        "parts": parts,
        "model": with_step(loaded),
    }
    id = query.text("exercise", 40)
    if not id:
        yield message(query.number, "", **shown)
        return
    exercise = by_id[query.one_of("exercise", [*by_id])]
    yield message(query.number, "", busy=True, exercise=id, **shown)
    try:
        result = asdict(exercise.check(store, loaded, query))
    except NeedsNetwork as error:
        result = {"words": error_sentence(error), "values": (), "other": error.other}
    except ValueError as error:
        result = {"words": error_sentence(error), "values": ()}
    require_current(is_current)
    yield message(query.number, "", 1, exercise=id, found=result, of=measured_on(loaded), **shown)


def measured_on(loaded: LoadedModel) -> dict[str, Any]:
    """Return the fields that identify the model, to reproduce a result."""
    info = loaded.info
    step, sha = f"{loaded.checkpoint.step:,}", info.sha256[:12]
    return {"network": loaded.title, "training step": step, "sha256": sha, "seed of its training": str(info.seed)}


def check_reset_unit(store: Store, loaded: LoadedModel, query: ViewQuery) -> CheckResult:
    """Check if a unit carries a value along a line and resets at its end."""
    stats = ActivationStats.of(store, loaded)
    part = query.one_of("part", [*stats.values])
    unit = Range(0, stats.units - 1, whole=True).require("unit", query.form.get("unit"))
    source = text_for(store, loaded).first(MAX_READ_CHARS)
    activations = all_activations(loaded.decoder, loaded.vocab.encode(source.text), part)
    found = line_reset(source.text, activations[:, unit])
    resets, carries = found.remaining_share <= MAX_REMAINING, found.carried >= MIN_CARRIED
    words = {
        (True, True): "Right: it keeps something along a line and resets at its end.",
        (True, False): "It resets at line ends, but remembers nothing within a line.",
        (False, True): "It remembers within a line, but does not reset at its end.",
        (False, False): "It neither remembers much within a line nor resets at its end.",
    }[resets, carries]
    values = (
        ("unit", f"{part} {unit}"),
        ("spread right before ⏎", f"{found.before:.3f}"),
        ("spread right after ⏎", f"{found.after:.3f}"),
        ("share that is left", f"{found.remaining_share:.3f} (at most {MAX_REMAINING})"),
        (
            f"correlation over {CARRY_DISTANCE} characters of a line",
            f"{found.carried:.2f} (at least {MIN_CARRIED})".replace("-", "−"),
        ),
        ("text", f"{len(source.text):,} characters of {source.origin}, {found.lines} line ends"),
    )
    return CheckResult(resets and carries, words, values)


def check_forgetting_unit(store: Store, loaded: LoadedModel, query: ViewQuery) -> CheckResult:
    """Check if a GRU with clamped gates uses one or two characters of context."""
    if loaded.info.cell != "gru":
        other = network_with(store, "gru")
        raise NeedsNetwork("This exercise needs the GRU", other)
    clamps = clamps_of(ActivationStats.of(store, loaded), query.form.get("clamps"))
    others = [clamp.name for clamp in clamps if clamp.name not in ("r", "z")]
    if others:
        raise ValueError(f"{others[0]} is neither r nor z: freeze one of them, or both, and nothing else")
    source = text_for(store, loaded).first(MAX_READ_CHARS)
    ids = loaded.vocab.encode(source.text)
    free = store.cache.compute(_context_ablation, loaded, source.text)
    clamped = ablate_context(loaded.decoder.clamped(clamps), ids)
    context, read_nats = clamped.characters, float(clamped.nats[0])
    forgets, reads = context is not None and context <= MAX_CONTEXT, read_nats >= MIN_READ_NATS
    before, after = _characters(free.characters), _characters(context)
    if forgets and reads:
        words = f"Right: as it is, it uses {before}; with these gates {after}."
    elif forgets:
        words = "Now it ignores its input altogether. Let it see at least the last letter."
    else:
        words = f"It still uses {after}: the past still comes through."
    values = (
        ("frozen", ", ".join(map(str, clamps))),
        ("uses, as it is", before),
        ("uses, frozen", f"{after} (at most {MAX_CONTEXT})"),
        ("effect of all it uses on the prediction", f"{read_nats:.3f} nats (at least {MIN_READ_NATS})"),
        ("text", f"{len(ids):,} characters of {source.origin}, {clamped.positions} positions"),
    )
    return CheckResult(forgets and reads, words, values)


def _context_ablation(loaded: LoadedModel, text: str) -> ContextAblation:
    return ablate_context(loaded.decoder, loaded.vocab.encode(text))


def _characters(n: int | None) -> str:
    return f"more than {CONTEXT_LENGTHS[-1]} characters" if n is None else counted(n)


def check_half_life(store: Store, loaded: LoadedModel, query: ViewQuery) -> CheckResult:
    """Check if a guess is within MAX_FACTOR of the measured half-life."""
    guess = Range(0.01, 1000).require("the half-life", query.form.get("guess"))
    flow, source = gradient_of(store, loaded)
    if flow.half_life_chars is None:
        raise ValueError(f"the gradient of {loaded.title} never falls to one half: choose another network")
    ratio = max(guess / flow.half_life_chars, flow.half_life_chars / guess)
    is_near = ratio <= MAX_FACTOR
    answer = f"{flow.half_life_chars:.1f} characters"
    with_ends = with_interval(answer, flow.half_life_interval, lambda end: f"{end:.1f}")
    if is_near:
        words = f"Right: the answer is {answer}. Your guess is within a factor of {MAX_FACTOR:g}."
    else:
        side = "large" if guess > flow.half_life_chars else "small"
        times = f"{ratio:.1f}" if ratio < 10 else f"{ratio:,.0f}"
        words = f"The answer is {answer}. Your guess was {times} times too {side}."
    values = (
        ("predicted half-life", f"{guess:g} characters"),
        ("measured half-life", with_ends),
        ("off by a factor of", f"{ratio:.2f} (at most {MAX_FACTOR:g})"),
        ("text", f"{flow.positions:,} positions of {source}"),
    )
    return CheckResult(is_near, words, values, reveals=True)


EXERCISES: Sequence[Exercise] = (
    Exercise(
        "reset",
        "Find a unit that resets at every line",
        "Which unit keeps something along a line and loses it when the line ends? Name it, for example c 12; try other "
        "networks too.",
        "Two figures of this unit on the default text. Its spread over line ends: right after ⏎ at most "
        f"{MAX_REMAINING} of what it is right before. Its correlation with its own value {CARRY_DISTANCE} characters "
        f"earlier in the line: {MIN_CARRIED} or more.",
        "Check this unit",
        check_reset_unit,
        fields=("part", "unit"),
    ),
    Exercise(
        "forget",
        "Make the GRU forget",
        "Freeze its gates r and z above, so that it predicts from the last one or two characters alone. Which of the "
        "two lets the past through?",
        "How many characters it uses: the smallest n from which on KL(p given everything ‖ p given the last n) stays "
        f"below {NEGLIGIBLE_NATS} nats, n = 0 … {CONTEXT_LENGTHS[-1]}. Right with at most {MAX_CONTEXT}, if it still "
        f"reads: the same figure for n = 0 is at least {MIN_READ_NATS} nats.",
        "Check what is frozen",
        check_forgetting_unit,
        from_clamps=True,
        cell="gru",
    ),
    Exercise(
        "half-life",
        "Predict the half-life, then reveal",
        "After how many characters is half of the gradient gone in this network? You have one guess per network.",
        "The half-life of the tab Gradients: where the median of ‖∂ℓ_T / ∂state_{T−k}‖ is down to one half of k = 0. "
        f"Right within a factor of {MAX_FACTOR:g}.",
        "Reveal",
        check_half_life,
        fields=("guess",),
        reveals=True,
    ),
)
