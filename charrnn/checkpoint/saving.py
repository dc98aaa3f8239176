"""Save a checkpoint, or the state of an unfinished run."""

import json
import platform
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from charrnn import __version__
from charrnn.checkpoint.file_names import (
    CONFIG,
    HISTORY,
    MODEL,
    PASSAGE,
    RUN,
    SHARED_KEYS,
    require_step,
    step_files,
    step_path,
)
from charrnn.checkpoint.metadata_schema import validate_metadata
from charrnn.checkpoint.safetensors_io import CheckpointError, parse_json, write_bytes, write_tensors
from charrnn.checkpoint.stored_analyses import ANALYSES, require_analyses
from charrnn.metrics import Metrics
from charrnn.registry import Network
from charrnn.vocab import Vocab


def save(
    folder: Path,
    model: Network,
    vocab: Vocab,
    *,
    saved: Mapping[int, Mapping[str, Tensor]],
    passage: str = "",
    **facts: Any,
) -> None:
    """
    Write a checkpoint folder: the model first, then saved steps and copies.

    `saved` maps steps to state dicts; `facts` are the other arguments of `metadata_of`. Weights that fp16 represents
    exactly are stored in it. Every file is written atomically. After a crash at any moment, the model is the old or
    the new one, and saved steps of the other are not loaded. Raises OSError if the folder cannot be written,
    CheckpointError for invalid metadata.
    """
    metadata = metadata_of(folder, model.config, vocab, **facts)
    write_tensors(folder / MODEL, _fp16_if_exact(model.state_dict()), metadata)
    step_metadata = {key: metadata[key] for key in SHARED_KEYS}
    paths = {step_path(folder, saved_step): saved_step for saved_step in saved}
    for path, saved_step in paths.items():
        write_tensors(path, saved[saved_step], step_metadata | {"step": saved_step})
    for path in step_files(folder):
        if path not in paths:
            with suppress(CheckpointError):  # not ours
                require_step(path)
                path.unlink(missing_ok=True)
    arguments = {"vocab_size": len(vocab), **model.config}  # constructor arguments, as PyTorchModelHubMixin reads them
    readable = arguments | {key: value for key, value in metadata.items() if key != "history"}
    write_bytes(folder / CONFIG, _json_bytes(readable))
    write_bytes(folder / HISTORY, _json_bytes(metadata["history"]))
    with suppress(CheckpointError):  # missing, or not ours
        require_analyses(folder / ANALYSES)
        (folder / ANALYSES).unlink(missing_ok=True)  # of the previous model
    if passage:
        write_bytes(folder / PASSAGE, passage.encode("utf-8"))


def metadata_of(
    folder: Path,
    config: Mapping[str, Any],
    vocab: Vocab,
    *,
    step: int,
    seed: int,
    recipe: Mapping[str, Any],
    data_sha256: str,
    metrics: Mapping[str, Any],
    history: list[Metrics],
) -> dict[str, Any]:
    """Return the metadata of a checkpoint. Raises CheckpointError if invalid."""
    metadata = {
        "name": folder.resolve().name,
        "config": dict(config),
        "vocab": vocab.characters,
        "step": step,
        "seed": seed,
        "recipe": dict(recipe),
        "data_sha256": data_sha256,
        "metrics": dict(metrics),
        "history": [asdict(progress) for progress in history],
        "versions": {"charrnn": __version__, "torch": torch.__version__, "python": platform.python_version()},
    }
    try:
        validate_metadata(parse_json(json.dumps(metadata)))
    except ValueError as error:
        raise CheckpointError(f"the metadata to be saved in {folder} is invalid: {error}") from None
    return metadata


def _fp16_if_exact(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Convert weights to fp16 if that is exact."""
    halves = {name: weight.cpu().half() for name, weight in weights.items()}
    lossless = all(torch.equal(halves[name].float(), weight.cpu()) for name, weight in weights.items())
    return halves if lossless else {name: weight.cpu() for name, weight in weights.items()}


def save_run(folder: Path, tensors: Mapping[str, Tensor], run: Mapping[str, Any]) -> None:
    """Write the state of an unfinished run (`Training.state()`), atomically."""
    write_tensors(folder / RUN, tensors, {"run": dict(run)})


def remove_run(folder: Path) -> None:
    """Delete the state of a finished run."""
    (folder / RUN).unlink(missing_ok=True)


def _json_bytes(value: Any) -> bytes:
    return (json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode("utf-8")
