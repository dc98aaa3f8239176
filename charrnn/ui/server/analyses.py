"""Analyses that several views show, and the text they run on."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np

from charrnn.analysis_record import AnalysisRecord, RecordError
from charrnn.checkpoint import CheckpointInfo
from charrnn.corpus import Corpus, cached_tiny_shakespeare, title_of
from charrnn.gradient_flow import GradientFlow, flow_from_record, gradient_flow
from charrnn.neurons import iter_activations
from charrnn.surprisal import TraceReader, surprisals
from charrnn.ui.server.checkpoint_store import LoadedModel, Store
from charrnn.ui.server.source_text import SourceText
from charrnn.ui.server.view_query import IsCurrent, require_current

DEFAULT_TEXT = 16_384  # characters, as in scripts/analyse.py, so that the tab Compare shows the same values
MAX_ANALYSIS_CHARS = 20_000  # characters; a fraction of a second
MAX_LAG = 128
POSITIONS = 512
POSITIONS_OF_WINDOWS = 128  # MiniGPT runs a whole window for each position: 1 to 2 s on one core
FAR_BACK = 100  # characters; the lab sheet reports the influence beyond it
Parsed = TypeVar("Parsed")


def default_text(store: Store, reader: LoadedModel) -> SourceText:
    """Return the default text of an analysis.

    Validation characters if the corpus is available and the model knows them, else the sample text of the best model
    with the same vocabulary.
    """
    corpus = cached_tiny_shakespeare()
    if corpus is not None and not reader.vocab.drop_unknown(corpus)[1]:
        parts = Corpus.from_text(corpus, reader.vocab)
        text = reader.vocab.decode(parts.val_ids.tolist())
        part = "the validation part" if parts.sha256 == reader.info.data_sha256 else "the last tenth"
        return SourceText(text, f"{part} of {title_of(parts.sha256)}").first(DEFAULT_TEXT)
    same = [info for info in store.checkpoints() if info.vocab.characters == reader.vocab.characters and info.passage]
    best = min(same, key=lambda info: info.metrics.get("val_stream_nats", float("inf")), default=None)
    if best is None or best.sha256 == reader.info.sha256:
        return SourceText.sample_of(reader.info, reader.passage)
    return SourceText.sample_of(best, reader.vocab.drop_unknown(best.passage)[0])


def text_for(store: Store, reader: LoadedModel, given: SourceText | None = None) -> SourceText:
    """Return the given or default text without characters unknown to the model."""
    if given is None:
        return store.cache.compute(default_text, store, reader)
    return given.with_text(reader.vocab.drop_unknown(given.first(MAX_ANALYSIS_CHARS).text)[0])


def measured(store: Store, reader: LoadedModel, given: SourceText | None = None) -> tuple[GradientFlow, SourceText]:
    """Return the cached gradient flow of a model, and its text. Raises ValueError.

    Without a given text, the gradient flow saved beside the final checkpoint is used.
    """
    last = reader.checkpoint.step == reader.info.saved_steps[-1]
    if given is None and last and (found := saved_gradient(reader.info)):
        return found
    source = text_for(store, reader, given)
    return store.cache.compute(measure, reader, source.text), source


def saved_analysis(info: CheckpointInfo, name: str, parse: Callable[[AnalysisRecord], Parsed]) -> Parsed | None:
    """Parse an analysis saved beside a checkpoint. None if absent or invalid."""
    try:
        return parse(info.analyses.sections[name])
    except (KeyError, RecordError):
        return None


def saved_gradient(info: CheckpointInfo) -> tuple[GradientFlow, SourceText] | None:
    """Load the saved gradient flow and its text. None if absent or invalid."""

    def parse(record: AnalysisRecord) -> tuple[GradientFlow, SourceText]:
        flow, characters = flow_from_record(record), int(record.number("characters_read", 1))
        part = f"the validation part of {title_of(info.data_sha256)}"
        return flow, SourceText("", f"{part} (its first {characters:,} characters)")

    return saved_analysis(info, "gradient", parse)


def measure(reader: LoadedModel, text: str) -> GradientFlow:
    """Compute the gradient flow of a model on a text it knows. Raises ValueError."""
    positions = POSITIONS_OF_WINDOWS if reader.info.cell == "minigpt" else POSITIONS
    return gradient_flow(reader.checkpoint.model, reader.vocab.encode(text), MAX_LAG, positions)


def read_activations(
    decoder: TraceReader, ids: Sequence[int], names: Sequence[str], is_current: IsCurrent = lambda: True
) -> dict[str, np.ndarray]:
    """Return the activations (T, units) of a decoder by name. Raises Superseded."""
    pieces = []
    for piece in iter_activations(decoder, ids, names):
        require_current(is_current)
        pieces.append(piece)
    return {name: np.concatenate([piece[name] for piece in pieces]) for name in names}


def bits_of(store: Store, reader: LoadedModel, text: str, is_current: IsCurrent) -> np.ndarray:
    """Return the cached surprisals of a model on a text. Raises Superseded."""
    return store.cache.compute(_bits, reader, text, is_current=is_current)


def _bits(reader: LoadedModel, text: str, is_current: IsCurrent) -> np.ndarray:
    return read_bits(reader.decoder, reader.vocab.encode(text), is_current)


def read_bits(decoder: TraceReader, ids: Sequence[int], is_current: IsCurrent = lambda: True) -> np.ndarray:
    """Compute the surprisals of a decoder. Raises Superseded."""
    pieces = []
    for piece in surprisals(decoder, ids):
        require_current(is_current)
        pieces.append(piece)
    return np.concatenate(pieces)
