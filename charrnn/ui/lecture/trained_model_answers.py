"""Answers of scenes about trained models, measured on the available checkpoints."""

from collections.abc import Sequence

import numpy as np

from charrnn.char_classes import SPEAKER_LINE
from charrnn.gradient_flow import GradientFlow
from charrnn.neurons import BestUnit, all_activations, rank_order, resampled_auc, roc_auc
from charrnn.number_format import percent, signed
from charrnn.sampling import SamplingSettings, Step
from charrnn.surprisal import Difference, GroupMean
from charrnn.ui.compare.surprisal_difference import saved_groups
from charrnn.ui.components.table.surprisal_table import signed_with_margin
from charrnn.ui.lecture.answer import (
    MAX_READ_CHARS,
    Answer,
    common_length,
    mean_of,
    sample,
    saved_best_unit,
    with_resamples,
)
from charrnn.ui.server.analyses import MAX_LAG, gradient_of, read_bits, text_for
from charrnn.ui.server.checkpoint_store import LoadedModel, Store
from charrnn.ui.server.share_link import ShareLink

COLD, HOT = 0.3, 1.6
TICKED = ("rnn", "lstm", "minigpt")
TITLES = {"rnn": "the vanilla RNN", "lstm": "the LSTM"}  # within a sentence; others keep their own
KNOWS_FROM = 0.99  # area under the ROC curve from which a unit counts as knowing a line end
NAMES_FROM = 0.75  # share from which a unit tracks names rather than capitals
MIN_KIND_CHARS = 20  # for the mean of a kind of character
DRAW_BLOCK = 10  # sampled characters that a bootstrap draws together; their draws are independent


def temperature(store: Store, link: ShareLink) -> Answer:
    """Sample at three temperatures with the same draws; compare choices and entropy."""
    own = link.query.temperature
    texts, shares, parts = {}, {}, []
    for t in (COLD, own, HOT):
        texts[t], steps = sample(link, SamplingSettings(t))
        likeliest = np.array([float(step.id == step.distribution.order[0]) for step in steps])
        shares[t] = percent(likeliest.mean())
        measured = with_resamples(mean_of(likeliest), len(likeliest), percent, DRAW_BLOCK)
        parts.append(f"temperature {t:g}: {measured}, mean entropy {entropy_bits(steps):.2f} bits")
    at = len(texts[own]) - len(steps) - 1  # the end of the prompt
    shown = tuple((f"temperature {t:g}", texts[t], common_length(texts[own], texts[t])) for t in (COLD, own, HOT))
    return Answer(
        f"At {COLD} it takes the likeliest character {shares[COLD]} of the time, at {HOT} only {shares[HOT]}.",
        shares[COLD],
        f"Share of the likeliest character, of {len(steps)} written by {link.loaded.title} with the same random "
        f"numbers: {'; '.join(parts)}. In brackets 95 % intervals.",
        shown,
        ways=tuple({"title": f"{t:g}", "temperature": t, "position": at} for t in (COLD, own, HOT)),
    )


def entropy_bits(steps: list[Step]) -> float:
    """Return the mean entropy of the sampled distributions."""
    probs = [step.distribution.probs[: step.distribution.kept] for step in steps]
    return float(np.mean([-(p[p > 0] * np.log2(p[p > 0])).sum() for p in probs]))


def describe_unit(best: BestUnit, loaded: LoadedModel) -> str:
    """Describe the held-out score of a unit."""
    return (
        f"Unit {best.unit} of {loaded.title}, concept “{best.concept}”: area under the ROC curve {best.held_out_text} "
        f"on held-out text, which is the probability that the unit separates such a character from another one. Of "
        f"untrained units 99 in 100 are below {best.percentile:.3f}. In brackets 95 % intervals."
    )


def newline(store: Store, link: ShareLink) -> Answer:
    """Name the unit that separates line ends, and show it on the scene's text."""
    best = saved_best_unit(link.loaded, "h", "newline")
    share = percent(best.held_out, 1)
    text, _ = sample(link)
    source = text_for(store, link.loaded).first(MAX_READ_CHARS)
    h = all_activations(link.loaded.decoder, link.loaded.vocab.encode(source.text), "h")  # (T, U)
    (auc,) = roc_auc(rank_order(h), np.array([[character == "\n"] for character in source.text]))  # (U,)
    know = int((np.maximum(auc, 1 - auc) > KNOWS_FROM).sum())
    return Answer(
        f"{know} of {len(auc)} know it. Unit {best.unit} is {_level(best)} at a line end than at "
        f"another character in {share} of pairs.",
        share,
        f"{know} units have an area under the ROC curve above {KNOWS_FROM:g} for line ends, over {len(h):,} characters "
        f"of {source.origin}. {describe_unit(best, link.loaded)}",
        shown={"unit": best.unit, "position": last_position([character == "\n" for character in text])},
    )


def speaker(store: Store, link: ShareLink) -> Answer:
    """Name the unit that separates speakers' names, and compare it at other capitals."""
    loaded = link.loaded
    best = saved_best_unit(loaded, "h", "speaker name")
    text, _ = sample(link)
    source = text_for(store, loaded).first(MAX_READ_CHARS)
    h = all_activations(loaded.decoder, loaded.vocab.encode(source.text), "h")[:, best.unit].astype(float)  # (T,)
    names, capitals = in_names(source.text)
    if not names.any() or not capitals.any():
        raise ValueError("the text has no names or no other capitals: choose another network")
    compared = names | capitals

    def separated(counts: np.ndarray) -> np.ndarray:
        return resampled_auc(best.direction * h[compared], names[compared], counts[:, compared])

    share = float(separated(np.ones((1, len(h))))[0])
    with_ends = with_resamples(separated, len(h), lambda part: percent(part, 1))
    level, number = "higher" if best.direction > 0 else "lower", percent(share, 1)
    tracked = "names, not capitals" if share > NAMES_FROM else "capitals, not names"
    return Answer(
        f"Unit {best.unit} tracks {tracked}: it is {_level(best)} in a name than at another "
        f"capital in {number} of pairs.",
        number,
        f"Mean of h at the {names.sum()} characters of names {signed(h[names].mean(), 2)}, at {capitals.sum()} other "
        f"capitals {signed(h[capitals].mean(), 2)}, elsewhere {signed(h[~compared].mean(), 2)}; in a name {level} "
        f"in {with_ends} of pairs, over {len(h):,} characters of {source.origin}. "
        f"{describe_unit(best, loaded)}",
        shown={"unit": best.unit, "position": near_name(text)},
    )


def _level(best: BestUnit) -> str:
    """Say where a unit is at its concept, and the color of the text there."""
    return "higher (more orange)" if best.direction > 0 else "lower (more blue)"


def last_position(inside: Sequence[bool] | np.ndarray) -> int:
    """Return the last marked position. Raises ValueError if there is none."""
    marked = np.flatnonzero(np.asarray(inside))
    if not len(marked):
        raise ValueError("this text has no such character: take another seed")
    return int(marked[-1])


def near_name(text: str) -> int:
    """Return the beginning of the name that is nearest to one before it. Raises ValueError."""
    starts = [line.start() for line in SPEAKER_LINE.finditer(text)]
    if len(starts) < 2:
        raise ValueError("this text has no two names: take another seed")
    return min(zip(starts, starts[1:], strict=False), key=lambda pair: pair[1] - pair[0])[1]


def in_names(text: str) -> tuple[np.ndarray, np.ndarray]:
    """Mark the characters of speakers' names (T,), and other capitals (T,)."""
    inside = np.zeros(len(text), dtype=bool)
    for line in SPEAKER_LINE.finditer(text):
        inside[slice(*line.span())] = True
    capitals = np.array([character.isupper() for character in text], dtype=bool) & ~inside
    return inside, capitals


def gradient(store: Store, link: ShareLink) -> Answer:
    """Return the 1 % horizons of three architectures, with their half-lives."""
    parts, details, ways = [], [], []
    available = {info.name for info in store.checkpoints()}
    names = [name for name in TICKED if name in available] or [link.loaded.info.name]
    for name in names:
        loaded = store.load(name)
        flow, source = gradient_of(store, loaded)
        horizon = _horizon(flow)
        parts.append(f"{horizon}{'' if parts else ' characters'} in {TITLES.get(name, loaded.title)}")
        half = "never halves" if flow.half_life_chars is None else f"halves after {flow.describe_half_life()}"
        exact = f"over {MAX_LAG}" if flow.horizon_chars is None else flow.describe_horizon()
        details.append(f"{loaded.title}: {half}, 1 % is left after {exact} ({flow.positions:,} positions of {source})")
    if "gru" in available and names[1:]:
        horizon = _horizon(gradient_of(store, store.load("gru"))[0])
        says = f"The GRU’s first falls below 1 % after {horizon} characters."
        ways = [{"title": "As before", "tick": names}, {"title": "Add the GRU", "tick": [*names, "gru"], "says": says}]
    return Answer(
        f"The gradient first falls below 1 % after {', '.join(parts[:-1])}{' and ' if parts[1:] else ''}{parts[-1]}.",
        " and ".join(parts[1:]) or parts[0],
        f"Characters back until the median gradient of a loss, relative to the character itself, has fallen so far. "
        f"{'; '.join(details)}. In brackets 95 % intervals.",
        shown={"tick": names},
        ways=tuple(ways),
        varied=bool(ways),
    )


def _horizon(flow: GradientFlow) -> str:
    return f"over {MAX_LAG}" if flow.horizon_chars is None else f"{flow.horizon_chars:.0f}"


def transformer(store: Store, link: ShareLink) -> Answer:
    """Compare two networks on held-out text: gains and losses by kind of character."""
    a, b = store.load("rnn"), store.load("minigpt")
    if groups := saved_groups((a, b)):
        measured_on = f"all {groups[0].characters:,} held-out characters"
    else:
        source = text_for(store, a).first(MAX_READ_CHARS)
        text = b.vocab.drop_unknown(source.text)[0]
        both = Difference(text, *(read_bits(loaded.decoder, loaded.vocab.encode(text)) for loaded in (a, b)))
        groups, measured_on = [both.whole(), *both.by_kind()], f"{len(text):,} characters of {source.origin}"
    whole, *kinds = groups
    kinds = sorted((kind for kind in kinds if kind.characters >= MIN_KIND_CHARS), key=lambda kind: -kind.delta_bits)
    saved = f"{abs(whole.delta_bits):.2f} bits"
    return Answer(
        f"{b.title} {'saves' if whole.delta_bits > 0 else 'loses'} {saved} per character{_gains(kinds)}.",
        saved,
        f"{a.title} needs {whole.a_bits:.3f} bits per character, {b.title} {whole.b_bits:.3f}, a difference of "
        f"{signed_with_margin(whole)} on {measured_on}; ± is half the 95 % interval. Bars: the same by kind of "
        f"character, right of 0 where {b.title} predicts better.",
        bars=tuple((kind.name, kind.delta_bits, kind.margin_bits, kind.characters) for kind in kinds),
        shown={"tick": [a.info.name, b.info.name]},
    )


def _gains(kinds: Sequence[GroupMean]) -> str:
    """Name the largest gain, and the largest loss that differs from 0."""
    if not kinds:
        return ""
    most, least = kinds[0], kinds[-1]
    is_loss = least.delta_bits + (least.margin_bits or 0) < 0
    loss = f", but loses {_bits(least)} at “{least.name}”" if is_loss else ", and loses at no kind"
    tied = kinds[1:] and kinds[1].delta_bits >= most.delta_bits - (most.margin_bits or 0)
    return f", most at “{most.name}” ({_bits(most)}){f' and “{kinds[1].name}”' if tied else ''}{loss}"


def _bits(kind: GroupMean) -> str:
    return f"{abs(kind.delta_bits):.2f}" + ("" if kind.margin_bits is None else f" ± {kind.margin_bits:.2f}")
