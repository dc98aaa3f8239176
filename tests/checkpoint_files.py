"""Write checkpoints with any weights; edit safetensors files."""

import json
import struct
from dataclasses import asdict
from typing import Any

from charrnn import checkpoint
from charrnn.checkpoint import safetensors_io
from charrnn.metrics import Metrics
from charrnn.registry import build_model
from charrnn.vocab import Vocab
from tests.random_weights import randomize

VOCAB = Vocab("\n abcé")
HISTORY = [Metrics(0, 1.8, 1.9, 0.5, 0.1, 0.0), Metrics(10, 1.2, 1.3, 0.4, 0.1, 1.0)]


def write_model(folder, model, vocab=VOCAB, **changes):
    """Save a model as a finished checkpoint; `changes` replace arguments of `save`."""
    defaults: dict[str, Any] = {
        "step": 20,
        "seed": 3,
        "recipe": {"steps": 20},
        "data_sha256": "f" * 64,
        "metrics": {"val_stream_nats": 1.1},
        "history": HISTORY,
        "saved": {},
    }
    checkpoint.save(folder, model, vocab, **(defaults | changes))


def write_training(folder, training, **changes):
    """Save a run as the checkpoint that `train` would write."""
    fields = {
        "step": training.step,
        "seed": training.seed,
        "recipe": asdict(training.recipe),
        "data_sha256": training.corpus.sha256,
        "metrics": training.metrics(),
        "history": training.history,
        "saved": training.saved,
    }
    write_model(folder, training.model, training.corpus.vocab, **(fields | changes))


def rewrite_checkpoint(folder, **changes):
    """Save the checkpoint of a folder again with changes and without its saved steps."""
    trained = checkpoint.load(folder)
    info = trained.info
    fields = {"step": info.step, "seed": info.seed, "recipe": info.recipe, "data_sha256": info.data_sha256}
    write_model(folder, trained.model, trained.vocab, **(fields | {"metrics": info.metrics} | changes))


def write_random(folder, **changes):
    """Save and return a small network with random weights and two saved steps."""
    model = build_model(changes.pop("config", {"cell": "rnn", "hidden_dim": 4}), len(VOCAB))
    randomize(model, 1.0, changes.pop("weights_seed", 0))
    early = {name: (weight / 2).half() for name, weight in model.state_dict().items()}
    write_model(folder, model, **({"saved": {0: early, 10: early}, "passage": "ab cab\n"} | changes))
    return model


def edit_safetensors(path, change):
    """
    Change a safetensors file by `change(header, data)`.

    It alters the header in place, or returns new bytes for the whole file. A file with an
    altered header gets a valid digest of its new contents.
    """
    content = path.read_bytes()
    length = struct.unpack("<Q", content[:8])[0]
    header, data = json.loads(content[8 : 8 + length]), content[8 + length :]
    result = change(header, data)
    path.write_bytes(result if isinstance(result, bytes) else joined(header, data))


def set_metadata(key, value):
    def change(header, data):
        header["__metadata__"][key] = json.dumps(value)

    return change


def joined(header, data):
    """Return the bytes of a safetensors file with an updated digest."""
    text = json.dumps(header).encode()
    content = struct.pack("<Q", len(text)) + text + data
    texts = header.get("__metadata__")
    if not isinstance(texts, dict) or "file_sha256" not in texts:
        return content
    old = json.loads(texts["file_sha256"])
    return content.replace(old.encode(), safetensors_io._file_digest(content, old).encode(), 1)
