"""Compare, lab sheet: its exercises, with their commands and parts of the page."""

from collections.abc import Iterator

from charrnn.ui.components.table.table import Cell, LinkCell, Table
from charrnn.ui.server.streaming import message
from charrnn.ui.server.view_query import ViewQuery
from charrnn.ui.tabs import COMPARE, GRADIENTS, HOOD, NEURONS, WRITE

DICE, DELTA, CURVES, RESULTS = "#cr-dice", "#cr-delta", "#cr-training", "#cr-results"  # parts of Compare
LEARNING = "#cr-learning"
CLIPPING = "#cr-clipping"  # a part of Gradients
CLAMP, EXERCISES = "#cr-clamp", "#cr-exercises"  # parts of Neurons
PROFILE = "#cr-profile"  # a part of Under the hood
TRAIN = "python scripts/train.py"


def row(section: str, code: tuple[str, ...], *links: LinkCell) -> tuple[str, tuple[str, ...], tuple[LinkCell, ...]]:
    """Return a section of the sheet, its commands, and links to parts of the page."""
    return section, code, links


ROWS = (
    row(
        "2 · VanillaRNNCell",
        (f"{TRAIN} --recipe rnn-lab",),
        LinkCell("its hidden state, while it writes", WRITE, model="rnn-lab"),
        LinkCell("what its units mean", NEURONS),
    ),
    row(
        "3 · CharRNN, the loop over time",
        ("python scripts/bench.py train", "python scripts/bench.py profile"),
        LinkCell("where a step's time goes", HOOD, part=PROFILE),
    ),
    row(
        "4 · sample: warm-up, decode, temperature",
        ("python scripts/sample.py --prompt ROMEO: --temperature 0.8",),
        LinkCell("the sliders and the distribution", WRITE),
        LinkCell("two settings with the same dice", COMPARE, part=DICE),
    ),
    row(
        "5 · The training loop, truncated BPTT, clipping",
        (TRAIN, "python scripts/study.py clipping"),
        LinkCell("loss and gradient norm against the step", COMPARE, part=CURVES),
        LinkCell("the norm with clipping and without", GRADIENTS, part=CLIPPING),
    ),
    row(
        "6 · Expected output",
        ("python scripts/evaluate.py checkpoints/rnn-lab", "python scripts/sample.py --checkpoint rnn-lab"),
        LinkCell("the table", COMPARE, part=RESULTS),
        LinkCell("samples at saved steps", COMPARE, part=LEARNING),
    ),
    row(
        "7 · Why is this so much worse than a Transformer?",
        (f"{TRAIN} --cell minigpt", "python scripts/study.py reach"),
        LinkCell("both gradients in one figure", GRADIENTS, tick=("rnn", "minigpt")),
        LinkCell("MiniGPT, while it writes", WRITE, model="minigpt"),
        LinkCell("where it predicts better, character by character", COMPARE, part=DELTA),
    ),
    row(
        "8 · Common pitfalls",
        (f"{TRAIN} --recipe rnn-lab --max-grad-norm 0 --out runs/unclipped", "python scripts/study.py no_grad"),
        LinkCell("with clipping and without", GRADIENTS, part=CLIPPING),
        LinkCell("gradient norms", COMPARE, part=CURVES),
    ),
    row(
        "Stretch 1 · LSTMCell by hand",
        (f"{TRAIN} --cell lstm",),
        LinkCell("its gates and its memory c", WRITE, model="lstm"),
        LinkCell("the unit that counts a line's characters", NEURONS, model="lstm", part="#cr-unit"),
        LinkCell("its gradient beside the vanilla one", GRADIENTS, tick=("rnn", "lstm")),
        LinkCell("a unit, or a gate, held at a value", NEURONS, model="lstm", part=CLAMP),
    ),
    row(
        "Stretch 2 · GRU, compared with the LSTM",
        (f"{TRAIN} --cell gru",),
        LinkCell("its gates", WRITE, model="gru"),
        LinkCell("make it forget: an exercise", NEURONS, model="gru", part=EXERCISES),
        LinkCell("how they stand", NEURONS, model="gru", part="#cr-gates"),
        LinkCell("both training curves", COMPARE, tick=("gru", "lstm"), part=CURVES),
    ),
    row(
        "Stretch 3 · Layer norm inside the cell",
        (f"{TRAIN} --layer-norm", f"{TRAIN} --cell lstm --layer-norm"),
        LinkCell("gradients with and without", GRADIENTS, tick=("rnn", "rnn-layernorm", "lstm", "lstm-layernorm")),
    ),
    row(
        "Stretch 4 · Statefulness",
        (f"{TRAIN} --stateful",),
        LinkCell("beside random windows", COMPARE, tick=("rnn", "rnn-stateful"), part=CURVES),
    ),
    row(
        "Stretch 5 · A longer context",
        (f"{TRAIN} --seq-len 256", f"{TRAIN} --seq-len 512"),
        LinkCell("where the loss ends", COMPARE, tick=("rnn", "rnn-seq256", "rnn-seq512"), part=CURVES),
        LinkCell("how far back it reaches", GRADIENTS, tick=("rnn", "rnn-seq256", "rnn-seq512")),
    ),
    row(
        "Stretch 6 · top-k and top-p",
        (
            "python scripts/sample.py --top-k 10",
            "python scripts/sample.py --top-p 0.9",
            "python scripts/study.py sampling",
        ),
        LinkCell("move the sliders while it writes", WRITE),
    ),
    row(
        "Stretch 7 · Time it", ("python scripts/bench.py profile",), LinkCell("where the time goes", HOOD, part=PROFILE)
    ),
)


def lab_sheet_table() -> Table:
    """Tabulate sections 2 to 8 of the sheet, then its stretch exercises."""
    rows = [[Cell(section), Cell("", code=code), Cell("", go=links)] for section, code, links in ROWS]
    return Table("", ("on the sheet", "command", "on this page"), rows, sortable=False)


def lab_sheet(query: ViewQuery) -> Iterator[str]:
    """Show the table of the lab sheet."""
    yield message(query.number, "", table=lab_sheet_table().to_json())
