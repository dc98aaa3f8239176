"""The answer of a scene, and what several answers are measured with."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from charrnn.bootstrap import percentile_interval, resample_counts, with_interval
from charrnn.clamps import Clamp
from charrnn.neurons import BestUnit
from charrnn.sampling import SamplingSettings, Step
from charrnn.ui.neurons.unit_scores import saved_boards
from charrnn.ui.server.checkpoint_store import LoadedModel
from charrnn.ui.server.generation_defaults import prompt_for
from charrnn.ui.server.share_link import ShareLink

MAX_READ_CHARS = 2000  # of the default text: a second or two
BLOCK_CHARS = 50  # consecutive characters that a bootstrap draws together
Way = Mapping[str, Any]


@dataclass(frozen=True)
class Answer:
    """
    The answer of a scene.

    sentence: at most 25 words; number: the part of it that is shown large. details: how it was measured. texts:
    (title, prompt and text, position of the first difference from the text on the page). bars: (name, value, margin of
    its 95 % interval, characters). shown: `unit` that colors the text, `position` of the cursor, models to `tick`,
    recurrent scale (`knob`), `lines` of the picture by name (None for all). ways: buttons of the variation, the first
    one pressed: a title, and what it sets, as in `shown`, `temperature` or `clamp`; `says` is a sentence about it.
    varied: whether the variation of the scene follows.
    """

    sentence: str
    number: str = ""
    details: str = ""
    texts: tuple[tuple[str, str, int], ...] = ()
    bars: tuple[tuple[str, float, float | None, int], ...] = ()
    shown: Mapping[str, Any] = field(default_factory=dict)
    ways: tuple[Way, ...] = ()
    varied: bool = True


def sample(
    link: ShareLink,
    settings: SamplingSettings | None = None,
    decoder: Any = None,
    n: int | None = None,
    clamps: Sequence[Clamp] = (),
) -> tuple[str, list[Step]]:
    """
    Sample the text of a link -> prompt and continuation, and the latter's steps.

    By default with the settings, the model and the length of the link. clamps: from the first sampled character on.
    """
    loaded, query = link.loaded, link.query
    prompt = loaded.vocab.drop_unknown(prompt_for(loaded, query.prompt))[0]
    steps = loaded.sample(prompt, n or query.characters, settings or query.settings, query.seed, decoder, clamps)
    return prompt + loaded.text_of(steps), steps


def common_length(a: str, b: str) -> int:
    """Return the length of the common prefix of two texts."""
    return next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))


def with_resamples(
    estimate: Callable[[np.ndarray], np.ndarray],
    characters: int,
    shown: Callable[[float], str],
    block: int = BLOCK_CHARS,
) -> str:
    """
    Format an estimate along a text with its 95 % interval.

    By bootstrap over blocks of characters. estimate: of the counts of the characters (R, T), per resample (R,).
    """
    counts = resample_counts(characters, block)
    interval = None if counts is None else percentile_interval(estimate(counts))
    return with_interval(shown(float(estimate(np.ones((1, characters)))[0])), interval, shown)


def mean_of(values: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Return the estimate of the mean of values (T,), for `with_resamples`."""
    return lambda counts: counts @ values / counts.sum(axis=1)


def saved_best_unit(loaded: LoadedModel, view: str, concept: str) -> BestUnit:
    """Return the unit of a view that tracks a concept. Raises ValueError."""
    board = saved_boards(loaded).get(view)
    best = next((best for best in board.best if best.concept == concept and best.found), None) if board else None
    if best is None:
        raise ValueError(f"{loaded.title} has no known unit of {view} for “{concept}”: run python scripts/analyse.py")
    return best
