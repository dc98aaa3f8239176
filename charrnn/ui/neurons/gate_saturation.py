"""Neurons, gates: the share of characters at which each gate is saturated."""

from collections.abc import Iterator

from charrnn.neurons import GATES, Saturation
from charrnn.ui.neurons.leaderboard import input_text
from charrnn.ui.neurons.switch_network import network_with
from charrnn.ui.neurons.unit_scores import Units, view_title
from charrnn.ui.server.analyses import MAX_ANALYSIS_CHARS, read_activations
from charrnn.ui.server.checkpoint_store import LoadedModel
from charrnn.ui.server.source_text import given_text
from charrnn.ui.server.streaming import message
from charrnn.ui.server.view_query import IsCurrent, ViewQuery


def gates(units: Units, query: ViewQuery, is_current: IsCurrent) -> Iterator[str]:
    """Show the gates of the picked model on a text. Raises ValueError, Superseded."""
    loaded = units.store.load(query.choice.name, query.choice.step)
    if loaded.info.cell not in GATES:
        without = "MiniGPT has" if loaded.info.cell == "minigpt" else "Vanilla RNNs have"
        other = network_with(units.store, *reversed(GATES))
        yield message(query.number, f"{without} no gates.", part=1, other=other)
        return
    source, notice = input_text(units.store, loaded, given_text(query, MAX_ANALYSIS_CHARS))
    text = source.text
    yield message(query.number, f"Reading {len(text):,} characters …", busy=True)
    found = units.store.cache.compute(saturations, units, loaded, text, is_current=is_current)

    from charrnn import figures  # plotly is slow to import: only when needed

    measured_on = f"Over {len(text):,} characters of {source.origin}."
    words = " ".join(filter(None, [figures.describe_saturation(found, view_title), measured_on, notice]))
    yield message(query.number, words, 1, figures.saturation_figure(found, query.width))


def saturations(units: Units, loaded: LoadedModel, text: str, is_current: IsCurrent) -> list[Saturation]:
    """Compute the saturation of each gate. Raises Superseded."""
    names = [name for name in GATES[loaded.info.cell] if name in loaded.view_names]
    with units.lock:
        values = read_activations(loaded.decoder, loaded.vocab.encode(text), names, is_current)
    return [Saturation.of(name, values[name]) for name in names]
