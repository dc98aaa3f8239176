"""
The folder of a trained model.

`model.safetensors` holds the weights and, in its metadata, everything else there is to know, so that the two can never
be torn apart. `config.json` and `history.json` are copies for people to read, `steps/` the weights along the way,
`passage.txt` a text the model wrote, `analyses.json` what was worked out about it. `training.safetensors` is a run that
has not finished.
"""

import hashlib
import json
import os
import platform
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from charrnn import __version__
from charrnn.cells import CELLS
from charrnn.checkpoint.analyses import ANALYSES, Analyses, read_analyses, require_analyses
from charrnn.checkpoint.metadata_schema import require, require_name
from charrnn.checkpoint.safetensors_io import (
    CheckpointError,
    UnreadableError,
    parse_json,
    read,
    read_metadata,
    read_small,
    write_bytes,
    write_tensors,
)
from charrnn.metrics import Metrics
from charrnn.registry import Network, build_on_meta
from charrnn.vocab import Vocab

MODEL, RUN, STEPS, PASSAGE = "model.safetensors", "training.safetensors", "steps", "passage.txt"
CONFIG, HISTORY = "config.json", "history.json"
FILES = (MODEL, CONFIG, HISTORY, PASSAGE, ANALYSES, f"{STEPS}/*.safetensors")  # what a finished checkpoint has
MOST_PASSAGE_BYTES = 1 << 20
MOST_SAVED_STEPS = 64
STEP_NAME = re.compile(r"[0-9]{6,9}\.safetensors")
OF_THE_RUN = ("config", "vocab", "seed", "recipe", "data_sha256")  # what a saved step shares with its checkpoint


@dataclass(frozen=True)
class CheckpointInfo:
    """What a checkpoint says of itself, read without building the model."""

    name: str  # of its folder
    saved_as: str  # the name its folder had when it was written
    folder: Path
    config: dict[str, Any]  # the form of the network, as `registry.build_model` takes it
    vocab: Vocab
    parameters: int
    step: int
    seed: int
    recipe: dict[str, Any]
    metrics: dict[str, Any]
    history: list[Metrics]
    saved_steps: list[int]  # that can be loaded, ascending, the last one the checkpoint's own
    data_sha256: str
    sha256: str  # of model.safetensors
    versions: dict[str, str]  # of what it was trained with; empty where that was not recorded
    unread: tuple[str, ...] = ()  # why steps that may be whole are not among `saved_steps`

    @property
    def cell(self) -> str:
        """`rnn`, `gru`, `lstm` or `minigpt`."""
        return self.config["cell"]

    @property
    def hidden_dim(self) -> int:
        """Units of the hidden state; of MiniGPT the width of its residual stream."""
        return self.config["hidden_dim"]

    @property
    def passage(self) -> str:
        """A text the model wrote itself; empty where there is none that can be read."""
        try:
            return read_small(self.folder / PASSAGE, MOST_PASSAGE_BYTES).decode("utf-8")
        except ValueError:  # CheckpointError, UnicodeDecodeError
            return ""

    @property
    def edited(self) -> str:
        """In what way the equations of such a network are not those the project's own learnt by; "" where they are."""
        return build_on_meta(self.config, 1).eval().edited()

    @cached_property
    def analyses(self) -> Analyses:
        """
        What was worked out about the model and is kept beside it, read when it is first asked for; nothing once its
        equations were edited.
        """
        if self.edited:
            return Analyses(refused=(f"{self.folder / ANALYSES} is about other equations than those now",))
        return read_analyses(self.folder, self.sha256)


@dataclass(frozen=True)
class Checkpoint:
    """A model with the characters it knows and the way it was trained."""

    info: CheckpointInfo
    model: Network
    vocab: Vocab
    step: int
    history: list[Metrics]


# ------------------------------------------------------------------------------------------------ save


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
    Write a checkpoint folder: the model first, then its saved steps and the copies, each file whole or not at all.

    `saved` maps steps to their state dicts; `facts` are the other arguments of `metadata_of`. Weights that half
    precision holds exactly are stored in it. Raises OSError where the folder cannot be written. Whatever the moment of
    a crash, the model there is the old or the new one; steps of the other are not offered.
    """
    whole = metadata_of(folder, model.config, vocab, **facts)
    write_tensors(folder / MODEL, _smallest(model.state_dict()), whole)
    along_the_way = {key: whole[key] for key in OF_THE_RUN}
    paths = {_step_path(folder, saved_step): saved_step for saved_step in saved}
    for path, saved_step in paths.items():
        write_tensors(path, saved[saved_step], along_the_way | {"step": saved_step})
    for path in _step_files(folder):
        if path not in paths:
            with suppress(CheckpointError):  # not ours
                require_step(path)
                path.unlink(missing_ok=True)
    arguments = {"vocab_size": len(vocab), **model.config}  # of the constructor, as PyTorchModelHubMixin reads them
    readable = arguments | {key: value for key, value in whole.items() if key != "history"}
    write_bytes(folder / CONFIG, _json_bytes(readable))
    write_bytes(folder / HISTORY, _json_bytes(whole["history"]))
    with suppress(CheckpointError):  # none there, or not ours
        require_analyses(folder / ANALYSES)
        (folder / ANALYSES).unlink(missing_ok=True)  # it was about the model that was there before
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
    """What a checkpoint in this folder says of itself. Raises CheckpointError if that could not be read again."""
    whole = {
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
        require(parse_json(json.dumps(whole)))
    except ValueError as error:
        raise CheckpointError(f"what is to be saved in {folder} could not be read again: {error}") from None
    return whole


def _smallest(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """In half precision where that changes no weight."""
    halves = {name: weight.cpu().half() for name, weight in weights.items()}
    lossless = all(torch.equal(halves[name].float(), weight.cpu()) for name, weight in weights.items())
    return halves if lossless else {name: weight.cpu() for name, weight in weights.items()}


def save_run(folder: Path, tensors: Mapping[str, Tensor], run: Mapping[str, Any]) -> None:
    """Write an unfinished run (`Training.state()`), whole or not at all."""
    write_tensors(folder / RUN, tensors, {"run": dict(run)})


def remove_run(folder: Path) -> None:
    """The run has finished: its state is no longer needed."""
    (folder / RUN).unlink(missing_ok=True)


def holds_run(folder: Path) -> bool:
    """Whether the folder holds a run that has not finished."""
    return (folder / RUN).is_file()


def _step_path(folder: Path, step: int) -> Path:
    return folder / STEPS / f"{step:06d}.safetensors"


def _step_files(folder: Path) -> list[Path]:
    """The files beside the model in which steps may be saved. Raises OSError if that cannot be found out."""
    try:
        return sorted(folder / STEPS / name for name in os.listdir(folder / STEPS) if name.endswith(".safetensors"))
    except (FileNotFoundError, NotADirectoryError):
        return []


def require_step(path: Path) -> None:
    """Raises CheckpointError for a file among the saved steps that was not written here."""
    if not STEP_NAME.fullmatch(path.name) or not read_metadata(path).keys() >= {*OF_THE_RUN, "step"}:
        raise CheckpointError(f"{path} is not a saved step of a checkpoint")


def _json_bytes(value: Any) -> bytes:
    return (json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode("utf-8")


# ------------------------------------------------------------------------------------------------ load


def describe(folder: Path) -> CheckpointInfo:
    """What the checkpoint in this folder says of itself; its weights can be used. Raises CheckpointError."""
    return _examined(folder)[0]


def load(folder: Path, step: int | None = None) -> Checkpoint:
    """
    The checkpoint in this folder, ready to read and write; at one of its saved steps where given.

    Raises CheckpointError for a file that is not a checkpoint, is damaged, or does not hold what it says.
    """
    info, model = _examined(folder)
    step = info.step if step is None else step
    if step not in info.saved_steps:
        raise CheckpointError(f"{folder} has no step {step}: give one of {', '.join(map(str, info.saved_steps))}")
    if step != info.step:
        file = read(_step_path(folder, step))
        model = _network(file.path, file.tensors(), info.config, info.vocab)
    history = [point for point in info.history if point.step <= step]
    return Checkpoint(info, model.float(), info.vocab, step, history)


def _examined(folder: Path) -> tuple[CheckpointInfo, Network]:
    """What the checkpoint says of itself, and its network with the weights as they are stored."""
    file = read(folder / MODEL)
    metadata = file.metadata()
    name = Path(os.path.abspath(folder)).name  # of a link its own, not that of what it leads to
    try:
        require_name(name)
        require(metadata)
    except (TypeError, ValueError) as error:
        raise CheckpointError(f"the metadata of {file.path} are not those of a checkpoint: {error}") from None
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
    A lab solution: the bare state dict of a `CharRNN` as a safetensors file, its vocabulary from its corpus.

    Which cell it is follows from the rows of W_hh, whether it has layer norm from the names. What all names begin with
    is left out: `_orig_mod.` of torch.compile, `module.` of DataParallel, `model.` of Lightning.

    Raises CheckpointError where keys, shapes or vocabulary do not fit.
    """
    file = read(path.resolve() if path.is_symlink() else path)  # whoever names it may link it
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
    """Remove what every name begins with if a module held the network."""
    prefix = next((name.removesuffix("embed.weight") for name in tensors if name.endswith(".embed.weight")), "")
    if not all(name.startswith(prefix) for name in tensors):
        return tensors
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items()}


def load_run(folder: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The unfinished run in this folder, for `Training.resume`. Raises CheckpointError."""
    if not holds_run(folder):
        raise CheckpointError(f"{folder} holds no unfinished run ({RUN}): start one without --resume")
    file = read(folder / RUN)
    run = file.metadata().get("run")
    if not isinstance(run, dict):
        raise CheckpointError(f"{file.path} is not the state of a run")
    return file.tensors(), run


def list_checkpoints(root: Path) -> tuple[list[CheckpointInfo], dict[str, CheckpointError]]:
    """
    The checkpoints under a folder, by name, and those refused, with the reason.

    A folder that is a checkpoint itself is the only one, by the name it was saved as: that of a download says nothing.
    """
    alone = os.path.isfile(root / MODEL)
    good, refused = [], {}
    for folder in [root] if alone else checkpoint_folders(root):
        try:
            info = describe(folder)
            good.append(replace(info, name=info.saved_as) if alone else info)
        except CheckpointError as error:
            refused[folder.name] = error
    return good, refused


def checkpoint_folders(root: Path) -> list[Path]:
    """
    The folders in this one that could be checkpoints, by name; hidden ones are somebody else's business.

    One that cannot be looked into is among them, so that it is refused with its reason.
    """
    try:
        names = os.listdir(root)
    except OSError:
        return []
    return sorted(root / name for name in names if not name.startswith(".") and _may_hold_model(root / name))


def _may_hold_model(folder: Path) -> bool:
    try:
        os.stat(folder / MODEL)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        pass
    return True


def _saved_steps(folder: Path, metadata: dict[str, Any]) -> tuple[list[int], tuple[str, ...]]:
    """
    The steps on the way whose file was not cut short and is of the same run as the model with these metadata.

    With them, why files that the system does not let be read are not among them, a sentence each.
    """
    try:
        named = [path for path in _step_files(folder) if STEP_NAME.fullmatch(path.name)]
    except OSError as error:
        return [], (f"cannot read {folder / STEPS}: {error.strerror}",)
    steps, unread = [], []
    for path in named[:MOST_SAVED_STEPS]:
        step = int(path.stem)
        if step >= metadata["step"] or path != _step_path(folder, step):
            continue
        try:
            of_step = read_metadata(path)
        except UnreadableError as error:
            unread.append(str(error))
        except CheckpointError:
            continue
        else:
            if of_step.get("step") == step and all(of_step.get(key) == metadata[key] for key in OF_THE_RUN):
                steps.append(step)
    return steps, tuple(unread)


def _network(path: Path, tensors: dict[str, Tensor], config: dict[str, Any], vocab: Vocab) -> Network:
    """Build the network of this form with the tensors as its weights. Raises CheckpointError if they are not."""
    try:
        model = build_on_meta(config, len(vocab))
    except ValueError as error:
        raise CheckpointError(f"{path} does not hold a network this version knows: {error}") from None
    shapes = {name: list(weight.shape) for name, weight in model.state_dict().items()}
    if missing := shapes.keys() - tensors.keys():
        raise CheckpointError(f"{path} lacks {', '.join(sorted(missing))}")
    if unexpected := tensors.keys() - shapes.keys():
        raise CheckpointError(f"{path} holds what its network has not: {', '.join(sorted(map(repr, unexpected)))}")
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
