"""Write small untrained networks of every kind."""

from pathlib import Path
from typing import Any

from charrnn.registry import build_model
from charrnn.vocab import Vocab
from tests.checkpoint_files import write_model
from tests.random_weights import randomize

VOCAB = Vocab("\n !',-.:;?" + "ABCDEFGHIJKLMNOPQRSTUVWXYZ" + "abcdefghijklmnopqrstuvwxyz")
SMALL = {
    "rnn": {"cell": "rnn", "hidden_dim": 20},
    "gru": {"cell": "gru", "hidden_dim": 24},
    "lstm": {"cell": "lstm", "hidden_dim": 28},
    "lstm-layernorm": {"cell": "lstm", "hidden_dim": 16, "layer_norm": True},
    "minigpt": {"cell": "minigpt", "hidden_dim": 32, "layers": 6, "heads": 4, "context": 16},
}


def save_small(
    folder: Path, config: dict[str, Any], vocab: Vocab = VOCAB, passage: str = "", data_sha256: str = "0" * 64
) -> None:
    """Write a checkpoint whose activations leave -1..1."""
    model = randomize(build_model(config, len(vocab)), 0.3, len(config["cell"]))
    model.embed.weight.data.mul_(8)
    metrics = {"train_loss_nats": 1.5, "val_stream_nats": 1.5, "val_cold_nats": 1.6, "minutes": 0.1, "sample": ""}
    fields = {"step": 40, "seed": 0, "recipe": {"steps": 40}, "history": [], "metrics": metrics}
    write_model(folder, model, vocab, **fields, data_sha256=data_sha256, passage=passage)


def save_all(root: Path) -> Path:
    """Write every small network in a folder of its own."""
    for name, config in SMALL.items():
        save_small(root / name, config)
    return root
