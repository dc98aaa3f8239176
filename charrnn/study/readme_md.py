"""Table of README.md from the stored records."""

from charrnn.metrics import bits_per_char
from charrnn.study.stored_records import Records
from charrnn.text_tables import left_aligned_table

SHOWN = ("rnn-lab", "rnn", "gru", "lstm", "best", "minigpt")


def results_table(records: Records) -> str:
    """Format the held-out losses of the networks in README.md."""
    body = []
    for info in records.bundled:
        if info.name not in SHOWN:
            continue
        nats = records.mean(info.name)
        network = f"{info.cell}, {info.hidden_dim} units, {info.step} steps"
        figures = [f"{nats.runs}", nats.with_range(), f"{bits_per_char(nats.value):.2f}"]
        body.append([f"`{info.name}`", network, f"{info.parameters:,}", *figures])
    return left_aligned_table(["checkpoint", "network", "parameters", "runs", "nats (range)", "bits"], body)
