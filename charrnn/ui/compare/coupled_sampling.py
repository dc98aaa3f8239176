"""Compare, same dice: sample two models or settings with common random numbers."""

from collections.abc import Iterator, Sequence
from typing import Annotated, Any, NamedTuple

from charrnn.coupled_sampling import Generator
from charrnn.ranges import Range
from charrnn.sampling import UniformStream
from charrnn.ui.components.divergence import coupled_texts, describe_identical
from charrnn.ui.server.checkpoint_store import Store
from charrnn.ui.server.model_pair import NAMES, known_to_both, load_pair, pair_payload, parse_side
from charrnn.ui.server.request_parameters import Seed, Writing, validate, within
from charrnn.ui.server.streaming import message
from charrnn.ui.server.view_query import IsCurrent, ViewQuery, require_current
from charrnn.vocab import Vocab

PROMPT, SEED, CHARACTERS = "ROMEO:\n", 12, 300
MAX_CHARS = 1000
MESSAGE_CHARS = 20  # characters between two messages


class CoupledForm(Writing):
    """The form of the view."""

    seed: Seed = SEED
    characters: Annotated[int, within(Range(1, MAX_CHARS, whole=True))] = CHARACTERS


class CoupledQuery(NamedTuple):
    """A parsed query: two generators, their prompt and random numbers."""

    a: Generator
    b: Generator
    prompt: str
    characters: int
    uniforms: UniformStream
    is_same: bool  # the same model, step and settings
    notice: str


def parse_query(store: Store, query: ViewQuery) -> tuple[CoupledQuery, dict[str, Any]]:
    """Parse the form; also describe the models on offer. Raises ValueError."""
    pair, form = load_pair(store, query), validate(CoupledForm, query.form)
    settings = [parse_side(query, name).settings for name in NAMES]
    prompt = form.prompt
    if prompt == PROMPT and (shared := [c for c in pair[0].vocab.characters if c in pair[1].vocab.ids]):
        prompt = Vocab("".join(shared)).default_prompt(PROMPT)
    prompt, notice = known_to_both(pair, prompt)
    a, b = (
        Generator.after(prompt, loaded.decoder, loaded.vocab, own) for loaded, own in zip(pair, settings, strict=True)
    )
    is_same = pair[0] is pair[1] and settings[0] == settings[1]
    parsed = CoupledQuery(a, b, prompt, form.characters, UniformStream(form.seed), is_same, notice)
    return parsed, pair_payload(store, pair)


def both_texts(store: Store, query: ViewQuery, is_current: IsCurrent) -> Iterator[str]:
    """Stream both texts and their first difference. Raises ValueError."""
    request, models = parse_query(store, query)
    for texts, divergence in coupled_texts(request.a, request.b, request.characters, request.uniforms):
        n = len(texts[0])
        if n % MESSAGE_CHARS == 0 or n == request.characters:
            require_current(is_current)
            words = " ".join(filter(None, [_describe(request, texts, divergence), request.notice]))
            yield message(query.number, words, n, texts=texts, divergence=divergence, prompt=request.prompt, **models)
            models = {}  # sent once


def _describe(request: CoupledQuery, texts: Sequence[str], divergence: dict[str, Any] | None) -> str:
    if divergence is not None:
        return divergence["why"]
    if len(texts[0]) < request.characters:
        return "Writing …"
    alike, apart = "the same model with the same settings and the same dice", "no die fell where they differ"
    return describe_identical(request.characters, alike if request.is_same else apart)
