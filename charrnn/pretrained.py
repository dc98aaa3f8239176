"""Load, save and publish one model with the methods usual on the Hub."""

import tempfile
from pathlib import Path
from typing import TypeVar

from charrnn import checkpoint, hub
from charrnn.checkpoint import CheckpointError
from charrnn.registry import Network
from charrnn.vocab import Vocab

Model = TypeVar("Model", bound=Network)
UNKNOWN_SHA256 = "0" * 64  # of the training text


def from_pretrained(kind: type[Model], source: str | Path, revision: str | None, subfolder: str) -> Model:
    """
    Load a model from a checkpoint folder or a Hub repository.

    subfolder: the checkpoint's folder in a repository with several. Raises HubError if the repository cannot be
    used, CheckpointError if there is no checkpoint of this kind of model.
    """
    root = hub.resolve(f"{source}@{revision}" if revision else str(source))
    folder = root / subfolder if subfolder else root
    if Path(subfolder).is_absolute() or ".." in Path(subfolder).parts:
        raise CheckpointError(f"subfolder is {subfolder!r}: give a folder in {source}")
    if not (folder / checkpoint.MODEL).exists():
        names = ", ".join(info.name for info in checkpoint.list_checkpoints(root)[0]) or "no checkpoint"
        raise CheckpointError(f"{source} has no {subfolder or checkpoint.MODEL}: it contains {names}; give subfolder=")
    loaded = checkpoint.load(folder)
    if not isinstance(loaded.model, kind):
        name = type(loaded.model).__name__
        raise CheckpointError(f"{source} contains a {name}: load it with {name}.from_pretrained")
    loaded.model.vocab = loaded.vocab
    return loaded.model.eval()


def save_pretrained(model: Network, folder: str | Path, vocab: Vocab | None) -> None:
    """
    Save a model as a checkpoint folder without a training history.

    Raises CheckpointError if the folder contains anything but a checkpoint, ValueError if the vocabulary is unknown or
    does not fit, OSError if it cannot be written.
    """
    folder, vocab = Path(folder), model.vocab if vocab is None else vocab
    if vocab is None:
        raise ValueError("the vocabulary is unknown: give vocab=, the Vocab that the model was trained with")
    if len(vocab) != model.embed.num_embeddings:
        raise ValueError(f"vocab has {len(vocab)} characters, the model {model.embed.num_embeddings}: give its own")
    if checkpoint.examine(folder).run is not None:
        raise CheckpointError(f"{folder} contains an unfinished run: give another folder")
    with checkpoint.folder_lock(folder):
        checkpoint.save(
            folder,
            model,
            vocab,
            saved={},
            step=0,
            seed=0,
            recipe={},
            data_sha256=UNKNOWN_SHA256,
            metrics={},
            history=[],
        )


def push_to_hub(model: Network, repo_id: str, vocab: Vocab | None, private: bool, replace: bool) -> str:
    """
    Publish the model as a repository of one checkpoint and return its address.

    private, replace: as for `charrnn.hub.push`. Raises HubError, and ValueError as `save_pretrained`.
    """
    hub.require_repository(repo_id)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / repo_id.partition("/")[2]
        save_pretrained(model, folder, vocab)
        return hub.push(folder, repo_id, private=private, replace=replace).url
