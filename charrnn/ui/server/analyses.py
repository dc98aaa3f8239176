"""Analyses that several views show, and the text that each reads."""

from collections.abc import Sequence

import numpy as np

from charrnn.analysis_record import AnalysisRecord
from charrnn.checkpoint import CheckpointInfo
from charrnn.corpus import title_of
from charrnn.gradient_flow import GradientFlow, flow_from_record, gradient_flow
from charrnn.neurons import iter_activations
from charrnn.surprisal import TraceDecoder, surprisals
from charrnn.ui.server.checkpoint_store import LoadedModel, Store
from charrnn.ui.server.default_text import default_text
from charrnn.ui.server.saved_analysis import saved_analysis
from charrnn.ui.server.source_text import SourceText
from charrnn.ui.server.view_query import IsCurrent, require_current

MAX_ANALYSIS_CHARS = 20_000  # a fraction of a second
MAX_LAG = 128
POSITIONS = 512
POSITIONS_MINIGPT = 128  # it runs a whole window for each: 1 to 2 s on one core
FAR_BACK = 100  # characters: the distance of the lab sheet


def text_for(store: Store, loaded: LoadedModel, given: SourceText | None = None) -> SourceText:
    """Return the given or default text without characters unknown to the model."""
    if given is None:
        return store.cache.compute(default_text, loaded, store.corpus())
    return given.with_text(loaded.vocab.drop_unknown(given.first(MAX_ANALYSIS_CHARS).text)[0])


def gradient_of(store: Store, loaded: LoadedModel, given: SourceText | None = None) -> tuple[GradientFlow, SourceText]:
    """Return the gradient flow of a model, and its text. Raises ValueError.

    For the final checkpoint and the default text the saved result is used, else a cached or computed one.
    """
    if given is None and loaded.is_last_step and (saved := saved_gradient(loaded.info)):
        return saved
    source = text_for(store, loaded, given)
    return store.cache.compute(measure_gradient, loaded, source.text), source


def saved_gradient(info: CheckpointInfo) -> tuple[GradientFlow, SourceText] | None:
    """Load the saved gradient flow and its text. None if absent or invalid."""

    def parse(record: AnalysisRecord) -> tuple[GradientFlow, SourceText]:
        flow, characters = flow_from_record(record), int(record.number("characters_read", 1))
        part = f"the validation part of {title_of(info.data_sha256)}"
        whole = characters == record.facts.get("characters")
        return flow, SourceText("", part if whole else f"{part} (its first {characters:,} characters)")

    return saved_analysis(info, "gradient", parse)


def measure_gradient(loaded: LoadedModel, text: str) -> GradientFlow:
    """Compute the gradient flow of a model on a text it knows. Raises ValueError."""
    positions = POSITIONS_MINIGPT if loaded.info.cell == "minigpt" else POSITIONS
    return gradient_flow(loaded.checkpoint.model, loaded.vocab.encode(text), MAX_LAG, positions)


def read_activations(
    decoder: TraceDecoder, ids: Sequence[int], names: Sequence[str], is_current: IsCurrent = lambda: True
) -> dict[str, np.ndarray]:
    """Return the activations (T, units) of a decoder by name. Raises Superseded."""
    chunks = []
    for chunk in iter_activations(decoder, ids, names):
        require_current(is_current)
        chunks.append(chunk)
    return {name: np.concatenate([chunk[name] for chunk in chunks]) for name in names}


def bits_of(store: Store, loaded: LoadedModel, text: str, is_current: IsCurrent) -> np.ndarray:
    """Return the cached surprisals, in bits, of a model on a text. Raises Superseded."""
    return store.cache.compute(_bits, loaded, text, is_current=is_current)


def _bits(loaded: LoadedModel, text: str, is_current: IsCurrent) -> np.ndarray:
    return read_bits(loaded.decoder, loaded.vocab.encode(text), is_current)


def read_bits(decoder: TraceDecoder, ids: Sequence[int], is_current: IsCurrent = lambda: True) -> np.ndarray:
    """Compute the surprisals of a decoder, in bits. Raises Superseded."""
    chunks = []
    for chunk in surprisals(decoder, ids):
        require_current(is_current)
        chunks.append(chunk)
    return np.concatenate(chunks)
