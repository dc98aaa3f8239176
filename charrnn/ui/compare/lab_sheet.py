"""The map of the lab sheet: exercise → command → part of this page."""

from charrnn.ui.components.table.table import Cell, Go, Table
from charrnn.ui.tabs import COMPARE, GRADIENTS, HOOD, NEURONS, WRITE

CURVES, RESULTS, LEARNING = "#cr-training", "#cr-results", "#cr-learning"  # parts of Compare
DICE, DELTA = "#cr-dice", "#cr-delta"  # so are these
CLIPPING = "#cr-clipping"  # a part of Gradients
CLAMP, EXERCISES = "#cr-clamp", "#cr-exercises"  # parts of Neurons
TRAIN = "python scripts/train.py"


def lab_map() -> Table:
    """Tabulate sections 2 to 8 of the sheet, then its stretch exercises."""
    titles = ("on the sheet", "command", "on this page")
    return Table(
        "", titles, [[Cell(what), Cell("", code=code), Cell("", go=go)] for what, code, go in ROWS], sortable=False
    )


ROWS: tuple[tuple[str, tuple[str, ...], tuple[Go, ...]], ...] = (
    (
        "2 · VanillaRNNCell",
        (f"{TRAIN} --recipe rnn-lab",),
        (Go("its hidden state, while it writes", WRITE, model="rnn-lab"), Go("what its units mean", NEURONS)),
    ),
    (
        "3 · CharRNN, the loop over time",
        ("python scripts/bench.py train", "python scripts/bench.py profile"),
        (Go("where a step's time goes", HOOD),),
    ),
    (
        "4 · sample: warm-up, decode, temperature",
        ("python scripts/sample.py --prompt ROMEO: --temperature 0.8",),
        (Go("the sliders and the distribution", WRITE), Go("two settings with the same dice", COMPARE, part=DICE)),
    ),
    (
        "5 · The training loop, truncated BPTT, clipping",
        (TRAIN, "python scripts/study.py clipping"),
        (
            Go("loss and gradient norm against the step", COMPARE, part=CURVES),
            Go("the norm with clipping and without", GRADIENTS, part=CLIPPING),
        ),
    ),
    (
        "6 · Expected output",
        ("python scripts/evaluate.py checkpoints/rnn-lab", "python scripts/sample.py --checkpoint rnn-lab"),
        (Go("the table", COMPARE, part=RESULTS), Go("samples at saved steps", COMPARE, part=LEARNING)),
    ),
    (
        "7 · Why is this so much worse than a Transformer?",
        (f"{TRAIN} --cell minigpt", "python scripts/study.py reach"),
        (
            Go("both gradients in one figure", GRADIENTS, tick=("rnn", "minigpt")),
            Go("MiniGPT, while it writes", WRITE, model="minigpt"),
            Go("where it predicts better, character by character", COMPARE, part=DELTA),
        ),
    ),
    (
        "8 · Common pitfalls",
        (f"{TRAIN} --recipe rnn-lab --max-grad-norm 0 --out runs/unclipped", "python scripts/study.py no_grad"),
        (Go("with clipping and without", GRADIENTS, part=CLIPPING), Go("gradient norms", COMPARE, part=CURVES)),
    ),
    (
        "Stretch 1 · LSTMCell by hand",
        (f"{TRAIN} --cell lstm",),
        (
            Go("its gates and its memory c", WRITE, model="lstm"),
            Go("the unit that counts a line's characters", NEURONS, model="lstm", part="#cr-unit"),
            Go("its gradient beside the vanilla one", GRADIENTS, tick=("rnn", "lstm")),
            Go("a unit, or a gate, held at a value", NEURONS, model="lstm", part=CLAMP),
        ),
    ),
    (
        "Stretch 2 · GRU, compared with the LSTM",
        (f"{TRAIN} --cell gru",),
        (
            Go("its gates", WRITE, model="gru"),
            Go("make it forget: an exercise", NEURONS, model="gru", part=EXERCISES),
            Go("how they stand", NEURONS, model="gru", part="#cr-gates"),
            Go("both training curves", COMPARE, tick=("gru", "lstm"), part=CURVES),
        ),
    ),
    (
        "Stretch 3 · Layer norm inside the cell",
        (f"{TRAIN} --layer-norm", f"{TRAIN} --cell lstm --layer-norm"),
        (
            Go(
                "gradients with and without",
                GRADIENTS,
                tick=("rnn", "rnn-layernorm", "lstm", "lstm-layernorm"),
            ),
        ),
    ),
    (
        "Stretch 4 · Statefulness",
        (f"{TRAIN} --stateful",),
        (Go("beside random windows", COMPARE, tick=("rnn", "rnn-stateful"), part=CURVES),),
    ),
    (
        "Stretch 5 · A longer context",
        (f"{TRAIN} --seq-len 256", f"{TRAIN} --seq-len 512"),
        (
            Go("where the loss ends", COMPARE, tick=("rnn", "rnn-seq256", "rnn-seq512"), part=CURVES),
            Go("how far back it reaches", GRADIENTS, tick=("rnn", "rnn-seq256", "rnn-seq512")),
        ),
    ),
    (
        "Stretch 6 · top-k and top-p",
        (
            "python scripts/sample.py --top-k 10",
            "python scripts/sample.py --top-p 0.9",
            "python scripts/study.py sampling",
        ),
        (Go("move the sliders while it writes", WRITE),),
    ),
    (
        "Stretch 7 · Time it",
        ("python scripts/bench.py profile",),
        (Go("where the time goes", HOOD),),
    ),
)
