"""Answers of scenes about trained models, measured on the available checkpoints."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from charrnn.char_classes import SPEAKER_LINE
from charrnn.clamps import Clamp
from charrnn.ranges import signed
from charrnn.sampling import SamplingSettings, Step
from charrnn.surprisal import Difference, GroupMean
from charrnn.ui.server.analyses import FAR_BACK, MAX_LAG, default_text, gradient_of, read_bits
from charrnn.ui.server.checkpoint_store import LoadedModel, Store
from charrnn.ui.server.generation_defaults import prompt_for
from charrnn.ui.server.share_link import ShareLink

COLD, HOT = 0.3, 1.6
TICKED = ("rnn", "lstm", "minigpt")
DELTA = {"title": "Character by character: Δ bits", "part": "#cr-delta"}  # a part of the tab Compare
MAX_READ_CHARS = 2000  # of the comparison of two models: a second or two
MIN_KIND_CHARS = 20  # for the mean of a kind of character


@dataclass(frozen=True)
class Answer:
    """
    The answer of a scene: text, samples and settings of the page.

    texts: (title, prompt and text, position of the first difference from the text on the page); shown: `unit` that
    colors the text, `position` of the cursor, models to `tick`, recurrent scale (`knob`), clamps (`clamp`), and `ways`:
    buttons with a title, a part to scroll to, and a knob or a clamp to set.
    """

    words: str
    texts: tuple[tuple[str, str, int], ...] = ()
    shown: Mapping[str, Any] = field(default_factory=dict)


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


def temperature(store: Store, link: ShareLink) -> Answer:
    """Sample at three temperatures with the same draws; compare choices and entropy."""
    own = link.query.temperature
    texts, parts = {}, []
    for t in (COLD, own, HOT):
        texts[t], steps = sample(link, SamplingSettings(t))
        share = np.mean([step.id == step.distribution.order[0] for step in steps])
        parts.append(f"at {t:g} the likeliest character {share:.0%} of the time ({entropy_bits(steps):.2f} bits)")
    words = (
        f"Of the same {link.query.characters} dice the network took {'; '.join(parts)}. In brackets the mean entropy "
        "of what it drew from: a low temperature squeezes the bar the dice fall on, a high one spreads it."
    )
    shown = [(f"T = {t:g}", texts[t], common_length(texts[own], texts[t])) for t in (COLD, own, HOT)]
    return Answer(words, tuple(shown))


def entropy_bits(steps: list[Step]) -> float:
    """Return the mean entropy of the sampled distributions."""
    probs = [step.distribution.probs[: step.distribution.kept] for step in steps]
    return float(np.mean([-(p[p > 0] * np.log2(p[p > 0])).sum() for p in probs]))


def text_and_states(link: ShareLink) -> tuple[str, np.ndarray]:
    """Sample the text of a link -> the text and its hidden states (T, H)."""
    loaded = link.loaded
    require_activation(loaded, "h")
    text, _ = sample(link)
    return text, loaded.decoder.read(loaded.vocab.encode(text)).activations["h"].astype(float)


def require_activation(loaded: LoadedModel, name: str) -> None:
    """Raise ValueError if the model has no activation of this name."""
    if name not in loaded.view_names:
        raise ValueError(
            f"{loaded.title} has no {name}, only {', '.join(loaded.view_names)}: this scene needs another model"
        )


def newline(store: Store, link: ShareLink) -> Answer:
    """Find the unit that separates line ends, and the change of the state there."""
    text, h = text_and_states(link)
    inside = np.array([character == "\n" for character in text])
    unit, at_ends, elsewhere = separating_unit(h, inside)
    change = np.abs(np.diff(h, axis=0)).mean(axis=1)  # (T-1,)
    end_change, other_change = float(change[inside[1:]].mean()), float(change[~inside[1:]].mean())
    compared = "more" if end_change > other_change else "less"
    words = (
        f"Unit {unit} tells it best: at the {inside.sum()} line ends its h is {signed(at_ends, 2)} on average, at the "
        f"other {(~inside).sum()} characters {signed(elsewhere, 2)}. It colours the text now. The state as a whole "
        f"moves {compared} than elsewhere: |Δh| is {end_change:.2f} a unit at a line end, {other_change:.2f} otherwise."
    )
    return Answer(words, shown={"unit": unit, "position": int(np.flatnonzero(inside)[-1])})


def speaker(store: Store, link: ShareLink) -> Answer:
    """Find the unit that separates speakers' names; compare other capitals."""
    text, h = text_and_states(link)
    inside, capitals = in_names(text)
    unit, in_name, elsewhere = separating_unit(h, inside)
    at_capitals = float(h[capitals, unit].mean()) if capitals.any() else elsewhere
    nearer = "the names themselves" if abs(at_capitals - elsewhere) < abs(at_capitals - in_name) else "capitals as such"
    words = (
        f"Unit {unit} tells the {inside.sum()} characters of names best: h is {signed(in_name, 2)} there on average, "
        f"{signed(elsewhere, 2)} at all others, {signed(at_capitals, 2)} at the {capitals.sum()} capitals elsewhere: "
        f"nearer to a unit for {nearer}. It colours the text now."
    )
    return Answer(words, shown={"unit": unit, "position": int(np.flatnonzero(inside)[-1])})


def in_names(text: str) -> tuple[np.ndarray, np.ndarray]:
    """Mark the characters of speakers' names (T,), and other capitals (T,)."""
    inside = np.zeros(len(text), dtype=bool)
    for line in SPEAKER_LINE.finditer(text):
        inside[slice(*line.span())] = True
    capitals = np.array([character.isupper() for character in text]) & ~inside
    return inside, capitals


def separating_unit(h: np.ndarray, inside: np.ndarray) -> tuple[int, float, float]:
    """Find the unit whose means inside and outside differ most: h (T, H), inside (T,).

    Returns the unit and both means. Raises ValueError if either side is empty.
    """
    if not inside.any() or inside.all():
        raise ValueError("this text has no characters to compare: take another seed")
    means, others = h[inside].mean(axis=0), h[~inside].mean(axis=0)
    unit = int(np.abs(means - others).argmax())
    return unit, float(means[unit]), float(others[unit])


def gradient(store: Store, link: ShareLink) -> Answer:
    """Return half-life, horizon and remaining gradient of three architectures."""
    parts, measured_on = [], []
    names = [info.name for info in store.checkpoints() if info.name in TICKED] or [link.loaded.info.name]
    for name in names:
        loaded = store.load(name)
        flow, source = gradient_of(store, loaded)
        half = "never" if flow.half_life_chars is None else f"after {flow.describe_half_life()} characters"
        horizon = f"later than {MAX_LAG}" if flow.horizon_chars is None else f"after {flow.describe_horizon()}"
        left = f"{flow.median[FAR_BACK]:.0e} is left {FAR_BACK} back"
        parts.append(f"{loaded.title}: half is gone {half}, 99 % {horizon}, {left}")
        measured_on.append(f"{loaded.title} at {flow.positions:,} positions of {source}")
    words = f"{'. '.join(parts)}. In brackets 95 % intervals. Measured: {'; '.join(measured_on)}."
    return Answer(words, shown={"tick": names})


def transformer(store: Store, link: ShareLink) -> Answer:
    """Measure the bits MiniGPT saves on a text, most and least by class."""
    a, b = store.load("rnn"), store.load("minigpt")
    source = default_text(a)
    text = b.vocab.drop_unknown(source.text)[0][:MAX_READ_CHARS]
    both = Difference(text, *(read_bits(loaded.decoder, loaded.vocab.encode(text)) for loaded in (a, b)))
    whole = both.whole()
    kinds = sorted(
        (kind for kind in both.by_kind() if kind.characters >= MIN_KIND_CHARS), key=lambda kind: kind.delta_bits
    )
    words = (
        f"{a.title} needs {whole.a_bits:.2f} bits a character, {b.title} {whole.b_bits:.2f}, on {whole.characters:,} "
        f"characters of {source.origin}. {_gain('It gains most', kinds[-1])}; {_gain('least', kinds[0])}. "
        f"In the figure: their validation losses, {_loss(a)} and {_loss(b)} nats at the end."
    )
    return Answer(words, shown={"tick": [a.info.name, b.info.name], "ways": (DELTA,)})


def _gain(verb: str, kind: GroupMean) -> str:
    return f"{verb} at “{kind.name}” ({signed(kind.delta_bits, 2)} bits each, {kind.characters} of them)"


def _loss(loaded: LoadedModel) -> str:
    loss = loaded.info.metrics.get("val_stream_nats")
    return "unknown" if loss is None else f"{loss:.3f}"
