"""
A trained model as a file that cannot run code: save, load, refuse.

A checkpoint is a folder. `model.safetensors` holds the weights and, in its metadata, everything else there is to know
(so that the two can never be torn apart); `config.json` and `history.json` are copies for people to read, `steps/` the
weights along the way, `passage.txt` a text the model wrote. `training.safetensors` is a run that has not finished.
"""

import hashlib
import json
import math
import os
import struct
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import safetensors
import torch
from safetensors.torch import load as tensors_from_bytes
from safetensors.torch import save as tensors_to_bytes
from torch import Tensor

from charrnn.metrics import Progress
from charrnn.model import CharRNN
from charrnn.vocab import Vocab

FORMAT = "1"
MODEL, RUN, STEPS, PASSAGE = "model.safetensors", "training.safetensors", "steps", "passage.txt"
MAX_FILE_BYTES = 256 << 20
MAX_HEADER_BYTES = 1 << 20
LFS_POINTER = b"version https://git-lfs"
PICKLES = (b"\x80", b"PK\x03\x04")


class CheckpointError(ValueError):
    """A file is not a checkpoint that can be used; the message names the file and the reason."""


@dataclass(frozen=True)
class CheckpointInfo:
    """What a checkpoint says of itself, read without building the model."""

    name: str
    folder: Path
    cell: str
    hidden_dim: int
    vocab: Vocab
    parameters: int
    step: int
    seed: int
    recipe: dict[str, Any]
    metrics: dict[str, Any]
    history: list[Progress]
    data_sha256: str
    sha256: str  # of model.safetensors

    @property
    def saved_steps(self) -> list[int]:
        """The steps that can be loaded, ascending, the last one the checkpoint's own."""
        steps = [int(path.stem) for path in (self.folder / STEPS).glob("*.safetensors") if path.stem.isdigit()]
        return sorted({step for step in steps if step < self.step} | {self.step})

    @property
    def passage(self) -> str:
        """A text the model wrote itself; empty where there is none."""
        try:
            return (self.folder / PASSAGE).read_text(encoding="utf-8")
        except OSError:
            return ""


@dataclass(frozen=True)
class Checkpoint:
    """A model with the characters it knows and the way it was trained."""

    info: CheckpointInfo
    model: CharRNN
    vocab: Vocab
    step: int
    history: list[Progress]


# ------------------------------------------------------------------------------------------------ save


def save(
    folder: Path,
    model: CharRNN,
    vocab: Vocab,
    *,
    step: int,
    seed: int,
    recipe: Mapping[str, Any],
    data_sha256: str,
    metrics: Mapping[str, Any],
    history: list[Progress],
    saved: Mapping[int, Mapping[str, Tensor]],
    passage: str = "",
) -> None:
    """
    Write a checkpoint folder: saved steps and copies first, the model last, each file whole or not at all.

    `saved` maps steps to their state dicts. Raises OSError where the folder cannot be written; what was there stays.
    """
    config = {"cell": "rnn", "hidden_dim": model.hidden_dim}
    whole = {
        "config": config,
        "vocab": vocab.characters,
        "step": step,
        "seed": seed,
        "recipe": dict(recipe),
        "data_sha256": data_sha256,
        "metrics": dict(metrics),
        "history": [asdict(progress) for progress in history],
    }
    along_the_way = {key: whole[key] for key in ("config", "vocab", "seed", "data_sha256")}
    for saved_step, weights in saved.items():
        path = folder / STEPS / f"{saved_step:06d}.safetensors"
        _write_tensors(path, weights, along_the_way | {"step": saved_step})
    for path in (folder / STEPS).glob("*.safetensors"):
        if path.stem not in {f"{saved_step:06d}" for saved_step in saved}:
            path.unlink()
    readable = {key: value for key, value in whole.items() if key != "history"}
    _write(folder / "config.json", _json_bytes(readable))
    _write(folder / "history.json", _json_bytes(whole["history"]))
    if passage:
        _write(folder / PASSAGE, passage.encode("utf-8"))
    _write_tensors(folder / MODEL, model.state_dict(), whole)


def save_run(folder: Path, tensors: Mapping[str, Tensor], run: Mapping[str, Any]) -> None:
    """Write an unfinished run (`Training.state()`), whole or not at all."""
    _write_tensors(folder / RUN, tensors, {"run": dict(run)})


def remove_run(folder: Path) -> None:
    """The run has finished: its state is no longer needed."""
    (folder / RUN).unlink(missing_ok=True)


def holds_run(folder: Path) -> bool:
    """Whether the folder holds a run that has not finished."""
    return (folder / RUN).is_file()


def _write_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, Any]) -> None:
    contiguous = {name: tensor.detach().contiguous() for name, tensor in tensors.items()}
    texts = {"charrnn": FORMAT} | {key: json.dumps(value) for key, value in metadata.items()}
    _write(path, tensors_to_bytes(contiguous, metadata=texts))


def _json_bytes(value: Any) -> bytes:
    return (json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode("utf-8")


def _write(path: Path, data: bytes) -> None:
    """Temporary name in the same folder, fsync, readable by all, atomic rename, fsync of the folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")
    with open(temporary, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
    os.replace(temporary, path)
    if os.name == "posix":  # elsewhere a folder cannot be opened
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


# ------------------------------------------------------------------------------------------------ load


def describe(folder: Path) -> CheckpointInfo:
    """What the checkpoint in this folder says of itself. Raises CheckpointError."""
    path = folder / MODEL
    data = _read(path)
    header, metadata = _parse(data, path)
    return _info(folder, data, header, metadata)


def load(folder: Path, step: int | None = None) -> Checkpoint:
    """
    The checkpoint in this folder, ready to read and write; at one of its saved steps where given.

    Raises CheckpointError for a file that is not a checkpoint, is damaged, or does not hold what it says.
    """
    path = folder / MODEL
    data = _read(path)
    header, metadata = _parse(data, path)
    info = _info(folder, data, header, metadata)
    step = info.step if step is None else step
    if step != info.step:
        if step not in info.saved_steps:
            saved = ", ".join(map(str, info.saved_steps))
            raise CheckpointError(f"{folder} has no step {step}: give one of {saved}")
        path = folder / STEPS / f"{step:06d}.safetensors"
        data = _read(path)
        header, of_step = _parse(data, path)
        for key in ("config", "vocab", "seed", "data_sha256"):
            if of_step.get(key) != metadata[key]:
                raise CheckpointError(f"{path} belongs to another run than {folder / MODEL}: its {key} differs")
    model = _build(data, header, path, info.hidden_dim, info.vocab)
    return Checkpoint(info, model, info.vocab, step, [point for point in info.history if point.step <= step])


def load_state_dict(path: Path, vocab: Vocab) -> CharRNN:
    """
    A lab solution: the bare state dict of a `CharRNN` as a safetensors file, its vocabulary from its corpus.

    Raises CheckpointError where keys, shapes or vocabulary do not fit.
    """
    data = _read(path)
    header, _ = _parse(data, path, bare=True)
    embed = header.get("embed.weight")
    if embed is None or len(embed["shape"]) != 2:
        raise CheckpointError(f"{path} has no embed.weight of shape (V, H): it is not the state dict of a CharRNN")
    return _build(data, header, path, embed["shape"][1], vocab)


def load_run(folder: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The unfinished run in this folder, for `Training.resume`. Raises CheckpointError."""
    path = folder / RUN
    if not path.is_file():
        raise CheckpointError(f"{folder} holds no unfinished run ({RUN}): start one without --resume")
    data = _read(path)
    _, metadata = _parse(data, path)
    if not isinstance(metadata.get("run"), dict):
        raise CheckpointError(f"{path} is not the state of a run")
    return _tensors(data, path), metadata["run"]


def list_checkpoints(root: Path) -> tuple[list[CheckpointInfo], dict[str, CheckpointError]]:
    """
    The checkpoints under a folder (or the folder itself, where it is one), by name, and those refused, with the reason.
    """
    folders = [root] if (root / MODEL).is_file() else sorted(path.parent for path in root.glob(f"*/{MODEL}"))
    good, refused = [], {}
    for folder in folders:
        try:
            good.append(describe(folder))
        except CheckpointError as error:
            refused[folder.name] = error
    return good, refused


def _read(path: Path) -> bytes:
    """The whole file at once: what is checked is what is loaded, whatever happens to the file meanwhile."""
    try:
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size > MAX_FILE_BYTES:
                raise CheckpointError(f"{path} has {size} bytes; more than {MAX_FILE_BYTES} are refused")
            return file.read()
    except OSError as error:
        raise CheckpointError(f"cannot read {path}: {error.strerror}") from None


def _parse(data: bytes, path: Path, bare: bool = False) -> tuple[dict[str, Any], dict[str, Any]]:
    """The header's tensors by name and the metadata, from the bytes of a safetensors file; metadata unless `bare`."""
    if data.startswith(LFS_POINTER):
        raise CheckpointError(f"{path} is a git-LFS pointer, not the file it points to: run `git lfs pull`")
    length = struct.unpack("<Q", data[:8])[0] if len(data) >= 8 else None
    if length is None or not data[8:9] == b"{":
        hint = "; pickled files are never opened, save as safetensors" if data.startswith(PICKLES) else ""
        raise CheckpointError(f"{path} is not a safetensors file{hint}")
    if length > min(MAX_HEADER_BYTES, len(data) - 8):
        raise CheckpointError(f"{path} announces a header of {length} bytes: it is cut off, or not what it seems")
    try:
        header = json.loads(data[8 : 8 + length], object_pairs_hook=_no_duplicates)
        texts = header.pop("__metadata__", {})
        version = texts.pop("charrnn", None)
        metadata = {} if bare else {key: _no_nan(text) for key, text in texts.items()}
    except (ValueError, RecursionError, AttributeError, TypeError) as error:
        raise CheckpointError(f"the header of {path} cannot be read: {error}") from None
    if version != FORMAT and not bare:
        raise CheckpointError(f"{path} is not a charrnn checkpoint of format {FORMAT}")
    return header, metadata


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    keys = [key for key, _ in pairs]
    if len(set(keys)) != len(keys):
        raise ValueError(f"the key {next(key for key in keys if keys.count(key) > 1)!r} stands there twice")
    return dict(pairs)


def _no_nan(text: str) -> Any:
    def refuse(constant: str) -> Any:
        raise ValueError(f"{constant} is not a number")

    return json.loads(text, parse_constant=refuse, object_pairs_hook=_no_duplicates)


def _info(folder: Path, data: bytes, header: dict[str, Any], metadata: dict[str, Any]) -> CheckpointInfo:
    path = folder / MODEL
    try:
        config = metadata["config"]
        cell, hidden_dim = config["cell"], config["hidden_dim"]
        if cell != "rnn":
            raise CheckpointError(f"{path} holds a {cell!r} model; this version knows 'rnn'")
        if type(hidden_dim) is not int or hidden_dim < 1:
            raise CheckpointError(f"{path} has hidden_dim {hidden_dim!r}: it must be a whole number above 0")
        return CheckpointInfo(
            name=folder.resolve().name,
            folder=folder,
            cell=cell,
            hidden_dim=hidden_dim,
            vocab=Vocab(metadata["vocab"]),
            parameters=sum(math.prod(tensor["shape"]) for tensor in header.values()),
            step=int(metadata["step"]),
            seed=int(metadata["seed"]),
            recipe=metadata["recipe"],
            metrics=metadata["metrics"],
            history=[Progress(**progress) for progress in metadata["history"]],
            data_sha256=metadata["data_sha256"],
            sha256=hashlib.sha256(data).hexdigest(),
        )
    except (KeyError, TypeError, ValueError) as error:
        if isinstance(error, CheckpointError):
            raise
        raise CheckpointError(f"the metadata of {path} is not that of a checkpoint: {error!r}") from None


def _build(data: bytes, header: dict[str, Any], path: Path, hidden_dim: int, vocab: Vocab) -> CharRNN:
    shapes = {
        "embed.weight": [len(vocab), hidden_dim],
        "cell.W_ih.weight": [hidden_dim, hidden_dim],
        "cell.W_hh.weight": [hidden_dim, hidden_dim],
        "cell.W_hh.bias": [hidden_dim],
        "head.weight": [len(vocab), hidden_dim],
        "head.bias": [len(vocab)],
    }
    if missing := shapes.keys() - header.keys():
        raise CheckpointError(f"{path} lacks {', '.join(sorted(missing))}")
    if unexpected := header.keys() - shapes.keys():
        raise CheckpointError(f"{path} holds what a CharRNN has not: {', '.join(sorted(map(repr, unexpected)))}")
    for name, shape in shapes.items():
        if header[name].get("shape") != shape:
            raise CheckpointError(
                f"{name} in {path} has the shape {header[name].get('shape')}; a vocabulary of {len(vocab)} characters "
                f"and hidden_dim {hidden_dim} take {shape}"
            )
        if header[name].get("dtype") not in ("F16", "F32"):
            raise CheckpointError(f"{name} in {path} is stored as {header[name].get('dtype')}: F16 or F32 are read")
    weights = {name: weight.float() for name, weight in _tensors(data, path).items()}
    for name, weight in weights.items():
        if not torch.isfinite(weight).all():
            raise CheckpointError(f"{name} in {path} holds NaN or infinite weights")
    model = CharRNN(len(vocab), hidden_dim)
    model.load_state_dict(weights)
    return model.eval()


def _tensors(data: bytes, path: Path) -> dict[str, Tensor]:
    try:
        return tensors_from_bytes(data)
    except safetensors.SafetensorError as error:
        raise CheckpointError(f"{path} is damaged: {error}") from None
