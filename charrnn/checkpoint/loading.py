"""Load a checkpoint, an unfinished run or a bare state dict, and validate it."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from charrnn.cells import CELLS
from charrnn.checkpoint.checkpoint_info import CheckpointInfo
from charrnn.checkpoint.file_names import (
    MODEL,
    RUN,
    SHARED_KEYS,
    STEP_NAME,
    STEPS,
    has_run_state,
    step_files,
    step_path,
)
from charrnn.checkpoint.metadata_schema import require_name, validate_metadata
from charrnn.checkpoint.safetensors_io import CheckpointError, UnreadableError, read, read_metadata
from charrnn.metrics import Metrics
from charrnn.registry import Network, build_on_meta
from charrnn.vocab import Vocab

MAX_SAVED_STEPS = 64


@dataclass(frozen=True)
class Checkpoint:
    """A model with its vocabulary and metadata."""

    info: CheckpointInfo
    model: Network
    vocab: Vocab
    step: int
    history: list[Metrics]


def describe(folder: Path) -> CheckpointInfo:
    """Read a checkpoint's metadata and validate its weights. Raises CheckpointError."""
    return _examined(folder)[0]


def load(folder: Path, step: int | None = None) -> Checkpoint:
    """
    Load a checkpoint, optionally at a saved step.

    Raises CheckpointError for a file that is no checkpoint, is damaged, or contradicts its metadata.
    """
    info, model = _examined(folder)
    step = info.step if step is None else step
    if step not in info.saved_steps:
        raise CheckpointError(f"{folder} has no step {step}: give one of {', '.join(map(str, info.saved_steps))}")
    if step != info.step:
        file = read(step_path(folder, step))
        model = _network(file.path, file.tensors(), info.config, info.vocab)
    history = [point for point in info.history if point.step <= step]
    return Checkpoint(info, model.float(), info.vocab, step, history)


def _examined(folder: Path) -> tuple[CheckpointInfo, Network]:
    """Return the metadata and the network with the stored weights."""
    file = read(folder / MODEL)
    metadata = file.metadata()
    name = Path(os.path.abspath(folder)).name  # of a link: its own name, not its target's
    try:
        require_name(name)
        validate_metadata(metadata)
    except (TypeError, ValueError) as error:
        raise CheckpointError(f"the metadata of {file.path} is invalid: {error}") from None
    vocab = Vocab(metadata["vocab"])
    model = _network(file.path, file.tensors(), metadata["config"], vocab)
    saved_steps, unread = _saved_steps(folder, metadata)
    info = CheckpointInfo(
        name=name,
        saved_as=metadata["name"],
        folder=folder,
        config=model.config,
        vocab=vocab,
        parameters=sum(weight.numel() for weight in model.parameters()),
        step=metadata["step"],
        seed=metadata["seed"],
        recipe=metadata["recipe"],
        metrics=metadata["metrics"],
        history=Metrics.curve(metadata["history"]),
        saved_steps=[*saved_steps, metadata["step"]],
        data_sha256=metadata["data_sha256"],
        sha256=hashlib.sha256(file.data).hexdigest(),
        versions=metadata.get("versions", {}),
        unread=unread,
    )
    return info, model


def load_state_dict(path: Path, vocab: Vocab) -> Network:
    """
    Load a lab solution: a bare state dict of a `CharRNN` as safetensors.

    The vocabulary comes from its corpus. The cell follows from the rows of W_hh, layer norm from the names. Common
    name prefixes are removed: `_orig_mod.` of torch.compile, `module.` of DataParallel, `model.` of Lightning.

    Raises CheckpointError if keys, shapes or vocabulary do not fit.
    """
    file = read(path.resolve() if path.is_symlink() else path)  # a path given by the user may be a link
    tensors = _unwrapped(file.tensors())
    embedding, recurrent = (tensors.get(name, torch.empty(0)) for name in ("embed.weight", "cell.W_hh.weight"))
    if embedding.dim() != 2 or recurrent.dim() != 2:
        raise CheckpointError(
            f"{path} has no embed.weight (V, H) or no cell.W_hh.weight (G·H, H): it is not the state dict of a "
            "CharRNN; of one within another module, save its own state_dict()"
        )
    hidden_dim = embedding.shape[1]
    cell = {kind.gates * hidden_dim: name for name, kind in CELLS.items()}.get(len(recurrent), "rnn")
    layer_norm = any(name.startswith("cell.norm.") for name in tensors)
    return _network(path, tensors, {"cell": cell, "hidden_dim": hidden_dim, "layer_norm": layer_norm}, vocab).float()


def _unwrapped(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Remove the common prefix of the names of a wrapped module."""
    prefix = next((name.removesuffix("embed.weight") for name in tensors if name.endswith(".embed.weight")), "")
    if not all(name.startswith(prefix) for name in tensors):
        return tensors
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items()}


def load_run(folder: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """
    Load the unfinished run of a folder, for `Training.resume`.

    Raises CheckpointError.
    """
    if not has_run_state(folder):
        raise CheckpointError(f"{folder} holds no unfinished run ({RUN}): start one without --resume")
    file = read(folder / RUN)
    run = file.metadata().get("run")
    if not isinstance(run, dict):
        raise CheckpointError(f"{file.path} is not the state of a run")
    return file.tensors(), run


def _saved_steps(folder: Path, metadata: dict[str, Any]) -> tuple[list[int], tuple[str, ...]]:
    """
    Return the intact saved steps of the same run as the model.

    Also returns one sentence for each file that the system refuses to read.
    """
    try:
        named = [path for path in step_files(folder) if STEP_NAME.fullmatch(path.name)]
    except OSError as error:
        return [], (f"cannot read {folder / STEPS}: {error.strerror}",)
    steps, unread = [], []
    for path in named[:MAX_SAVED_STEPS]:
        step = int(path.stem)
        if step >= metadata["step"] or path != step_path(folder, step):
            continue
        try:
            step_metadata = read_metadata(path)
        except UnreadableError as error:
            unread.append(str(error))
        except CheckpointError:
            continue
        else:
            if step_metadata.get("step") == step and all(
                step_metadata.get(key) == metadata[key] for key in SHARED_KEYS
            ):
                steps.append(step)
    return steps, tuple(unread)


def _network(path: Path, tensors: dict[str, Tensor], config: dict[str, Any], vocab: Vocab) -> Network:
    """Build the network from its config and weights. Raises CheckpointError."""
    try:
        model = build_on_meta(config, len(vocab))
    except ValueError as error:
        raise CheckpointError(f"{path} holds an unknown network: {error}") from None
    shapes = {name: list(weight.shape) for name, weight in model.state_dict().items()}
    if missing := shapes.keys() - tensors.keys():
        raise CheckpointError(f"{path} lacks {', '.join(sorted(missing))}")
    if unexpected := tensors.keys() - shapes.keys():
        raise CheckpointError(f"{path} has unexpected tensors: {', '.join(sorted(map(repr, unexpected)))}")
    for name, weight in tensors.items():
        if list(weight.shape) != shapes[name]:
            raise CheckpointError(
                f"{name} in {path} has the shape {list(weight.shape)}; a vocabulary of {len(vocab)} characters and "
                f"{model.config} take {shapes[name]}"
            )
        if weight.dtype not in (torch.float16, torch.float32):
            raise CheckpointError(f"{name} in {path} is stored as {weight.dtype}: float16 or float32 are read")
        if not weight.isfinite().all():
            raise CheckpointError(f"{name} in {path} holds NaN or infinite weights")
    model.load_state_dict(tensors, assign=True)
    return model.eval()
