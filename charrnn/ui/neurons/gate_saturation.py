"""Neurons, gates: the share of time that the gates of each unit are saturated."""

from collections.abc import Iterator
from functools import partial

import numpy as np

from charrnn.neurons import GATES, Saturation, iter_activations
from charrnn.ui.neurons.leaderboard import passage
from charrnn.ui.neurons.unit_scores import Units, in_words
from charrnn.ui.server.analyses import MAX_ANALYSIS_CHARS
from charrnn.ui.server.checkpoint_store import LoadedModel
from charrnn.ui.server.source_text import given_text
from charrnn.ui.server.streaming import add_part, answer
from charrnn.ui.server.view_query import ViewQuery, Wanted, require


def build(units: Units) -> None:
    """Lay out the view and register its analysis."""
    add_part("cr-gates", "neurons/gate_saturation", partial(gates, units))


def gates(units: Units, question: ViewQuery, wanted: Wanted) -> Iterator[str]:
    """Show the gates of the picked model on a text. Raises ValueError."""
    reader = units.store.load(question.choice.name, question.choice.step)
    if reader.info.cell not in GATES:
        without = "MiniGPT has" if reader.info.cell == "minigpt" else "A vanilla cell has"
        yield answer(question.number, f"{without} no gates: choose a GRU or an LSTM in the picker.", part=1)
        return
    source, note = passage(units.store, reader, given_text(question, MAX_ANALYSIS_CHARS))
    text = source.text
    if not text:
        raise ValueError("the model knows no character of this text: give another")
    yield answer(question.number, f"Reading {len(text):,} characters …", busy=True)
    told = units.store.cache.compute(saturations, units, reader, text, wanted=wanted)

    from charrnn import figures  # plotly takes its time: only a visitor who comes to this tab waits for it

    described = figures.describe_saturation(told, in_words)
    words = f"{described} Over {len(text):,} characters of {source.origin}. {note}".rstrip()
    yield answer(question.number, words, 1, figures.saturation_figure(told, question.width))


def saturations(units: Units, reader: LoadedModel, text: str, wanted: Wanted) -> list[Saturation]:
    """Compute the saturation of each gate. Raises Superseded."""
    names, pieces = [name for name in GATES[reader.info.cell] if name in reader.view_names], []
    with units.busy:
        for piece in iter_activations(reader.decoder, reader.vocab.encode(text), names):
            require(wanted)
            pieces.append(piece)
    return [Saturation.of(name, np.concatenate([piece[name] for piece in pieces])) for name in names]
