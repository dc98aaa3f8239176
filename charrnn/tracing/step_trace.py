"""Trace of the source lines that run while one character is read."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from charrnn import minigpt
from charrnn.export import GraphState, ModuleDecoder, ModuleState, exact_copy, module_state
from charrnn.minigpt import equations
from charrnn.registry import Network
from charrnn.sampling import DecoderOutput
from charrnn.tracing.tracer import GIVEN, Line, TraceRun, Value, trace_calls

PACKAGE = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, eq=False)
class Block:
    """A traced function; outside the cell only its lines with values."""

    title: str
    file: str
    name: str
    is_cell: bool  # False for code around the cell's equations
    lines: list[Line]

    @classmethod
    def of(cls, title: str, run: TraceRun, is_cell: bool = False) -> "Block":
        file = Path(run.source.file).resolve()
        where = file.relative_to(PACKAGE).as_posix() if file.is_relative_to(PACKAGE) else file.name
        lines = run.lines if is_cell else [line for line in map(_without_given, run.lines) if line.values]
        return cls(title, where, run.source.function.__qualname__, is_cell, lines)

    def value(self, source: str) -> Value:
        """Return the last value of a name or expression. Raises KeyError."""
        found = [value for line in self.lines for value in line.values if value.source == source]
        if not found:
            raise KeyError(source)
        return found[-1]


def layers_of(network: Network) -> int:
    """Return the number of blocks of MiniGPT, 1 for a recurrent network."""
    return len(network.blocks) if isinstance(network, minigpt.MiniGPT) else 1


def read_character(network: Network, id: int, state: Any, layer: int = 1) -> tuple[list[Block], DecoderOutput]:
    """
    Read character `id` from the state of a decoder by the torch module, in float64, with tracing.

    layer: block of MiniGPT, from 1. The step that writes is a recording of these lines, so its values are theirs.
    """
    exact = exact_copy(network)
    decoder = ModuleDecoder(exact, "")
    if isinstance(state, GraphState):
        state = ModuleState(module_state(exact, state), state.logits, state.activations)
    if isinstance(network, minigpt.MiniGPT):
        return _read_by_blocks(network, decoder, id, state, layer)
    cell = type(network.cell)
    with trace_calls(type(network).forward, cell.forward, cell.update) as runs:
        output = decoder.step(id, state)
    whole, *of_cell = runs
    around = [Block.of("the two sums of this step", run) for run in of_cell[:-1]]
    return [
        *around,
        *(Block.of("the cell", run, is_cell=True) for run in of_cell[-1:]),
        Block.of("around the cell: the embedding, and the head to the logits", whole),
    ], output


def _read_by_blocks(
    network: Any, decoder: ModuleDecoder, id: int, state: Any, layer: int
) -> tuple[list[Block], DecoderOutput]:
    first, last = type(network).streams_from_embedded, type(network).from_embedded
    with trace_calls(first, equations.transformer_block, last) as runs:
        output = decoder.step(id, state)
    end, step, *of_blocks = runs  # the run of `from_embedded` begins first
    middle = Block.of(f"block {layer}", of_blocks[layer - 1], is_cell=True)
    return [
        Block.of("the character's embedding, and its position's rotation", step),
        replace(middle, lines=[_of_last_position(line) for line in middle.lines]),
        Block.of("the head: from the last stream to the logits", end),
    ], output


def _without_given(line: Line) -> Line:
    return replace(line, values=[value for value in line.values if value.kind != GIVEN])


def _of_last_position(line: Line) -> Line:
    """Reduce keys and values of all positions to this character's."""

    def last(value: Value) -> Value:
        if value.array.ndim < 4 or value.shape[2] == 1:
            return value
        return replace(value, array=value.array[:, :, -1:], part=f"the last of {value.shape[2]} positions")

    return replace(line, values=[last(value) for value in line.values])
