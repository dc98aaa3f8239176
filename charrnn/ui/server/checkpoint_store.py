"""Registry and cache of the checkpoints of a running app and their analyses."""

import os
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from threading import Lock
from typing import Any

from charrnn.checkpoint import FILES, STEPS, CheckpointError, CheckpointInfo, checkpoint_folders, list_checkpoints, load
from charrnn.corpus import cached_tiny_shakespeare
from charrnn.hub import HubError, Origin, fetch
from charrnn.metrics import bits_per_char
from charrnn.ui.server.analysis_cache import Cache
from charrnn.ui.server.loaded_model import TITLES, LoadedModel
from charrnn.ui.server.refused_checkpoints import describe_empty, describe_refused, without_local_paths
from charrnn.ui.server.view_query import IsCurrent, require_current

MAX_LOADED = 48
MAX_PARAMETERS = 200_000_000  # over all loaded models, 4 to 8 bytes each
MAX_CACHED_RESULTS = 256
REFRESH_S = 30


def size_of(info: CheckpointInfo) -> str:
    """Describe the number of parameters to three digits."""
    rounded = float(f"{info.parameters:.3g}")
    return f"{rounded / 1e6:g} million weights" if rounded >= 1e6 else f"{rounded:,.0f} weights"


def quality_of(info: CheckpointInfo) -> str:
    """Describe the validation loss; "" if it was not measured."""
    loss = info.metrics.get("val_stream_nats")
    return "" if loss is None else f"{bits_per_char(loss):.2f} bits per character"


def signature_of(folder: Path) -> tuple:
    """Return names, times and sizes of a checkpoint's files, to detect changes."""
    paths = [folder / name for name in FILES]
    with suppress(OSError):
        paths += sorted(folder / STEPS / name for name in os.listdir(folder / STEPS))
    found = []
    for path in paths:
        with suppress(OSError):  # missing, being deleted, or unreadable
            stat = os.stat(path)
            found.append((str(path), stat.st_mtime_ns, stat.st_ino, stat.st_size))
    return tuple(found)


class Store:
    """Checkpoints below one folder, loaded on demand.

    origin: where the folder was downloaded from, by default the folder itself. corpus: returns the text that analyses
    prefer, or None.
    """

    def __init__(
        self, root: Path, origin: Origin | None = None, corpus: Callable[[], str | None] = cached_tiny_shakespeare
    ):
        self.root, self.corpus = root, corpus
        self.origin = origin or Origin(root, str(root))
        self._checked_at = 0.0  # time of the last check for newer checkpoints
        self._listing: tuple | None = None
        self._listing_lock = Lock()  # concurrent requests read the folder, and load a model, once
        self._loading_lock = Lock()
        self._refreshing_lock = Lock()
        self._models: OrderedDict[tuple, LoadedModel] = OrderedDict()
        self.cache = Cache(MAX_CACHED_RESULTS)
        self._locks: dict[Callable[..., Any], Lock] = {}

    @contextmanager
    def exclusive(self, work: Callable[..., Any], is_current: IsCurrent) -> Iterator[None]:
        """Run one block of this work at a time. Raises Superseded."""
        with self._locks.setdefault(work, Lock()):
            require_current(is_current)
            yield

    def _listed(self) -> tuple[list[CheckpointInfo], dict[str, CheckpointError]]:
        """List the checkpoints and refused ones; the folder is read after a change only."""
        with self._listing_lock:
            signature = self._signature()
            if self._listing is None or self._listing[0] != signature:
                self._listing = signature, list_checkpoints(self.root)
            return self._listing[1]

    def _signature(self) -> tuple:
        return tuple(map(signature_of, [self.root, *checkpoint_folders(self.root)]))

    def cache_key(self) -> tuple:
        """Return the files of every checkpoint and of the corpus, once it is available."""
        return self._signature(), self.corpus() is not None

    def checkpoints(self) -> list[CheckpointInfo]:
        """List the valid checkpoints in the order of TITLES, then by name."""
        rank = {name: i for i, name in enumerate(TITLES)}
        return sorted(self._listed()[0], key=lambda info: (rank.get(info.name, len(rank)), info.name))

    def rescan(self) -> str:
        """Check the Hub for newer checkpoints. Return a notice, or ""."""
        with self._refreshing_lock:
            if time.monotonic() < self._checked_at + REFRESH_S:
                return "Checked a moment ago: try again in half a minute."
            self._checked_at = time.monotonic()
            before = self.origin
            try:
                self.origin = fetch(before.source)
            except HubError as error:
                return f"{error.user_message}: the networks stay as they are."
            self.root, self._listing = self.origin.folder, None
            if self.origin.notice:
                return self.origin.notice
            commit = (self.origin.commit or "")[:8]
            if self.origin.source == self.origin.pinned:
                return f"The app was started with commit {commit}: restart it for newer networks."
            return (
                f"Now at commit {commit}." if self.origin.commit != before.commit else f"Commit {commit} is the newest."
            )

    def refused(self) -> str:
        """Describe which checkpoints were refused and why; "" if none was."""
        return describe_refused(self._listed()[1], self.root)

    def empty_reason(self) -> str:
        """Explain why there are no checkpoints."""
        return self.origin.notice or describe_empty(self._listed()[1], self.root)

    def load(self, name: str | None = None, step: int | None = None) -> LoadedModel:
        """
        Load a checkpoint at a training step, by default the first one at its last step.

        Raises CheckpointError if it is unknown or invalid.
        """
        with suppress(KeyError):  # loaded and unchanged: skip reading the other folders
            return self._loaded(name, step)
        offered = {info.name: info for info in self.checkpoints()}
        if name and name not in offered and (reason := self._listed()[1].get(name)):
            raise CheckpointError(without_local_paths(reason, self.root))
        if not offered:
            raise CheckpointError(self.empty_reason())
        name = next(iter(offered)) if name is None else name
        if name not in offered:
            raise CheckpointError(f"there is no checkpoint {name!r}: choose one of {', '.join(offered)}")
        info = offered[name]
        step = info.saved_steps[-1] if step is None else step
        if step not in info.saved_steps:
            raise CheckpointError(f"{name} was not saved at step {step}: choose one of {info.saved_steps}")
        key = (name, step, signature_of(info.folder))
        with self._loading_lock:
            if key not in self._models:
                try:
                    checkpoint = load(info.folder, step)
                except CheckpointError as reason:  # the file changed, or one step is damaged
                    raise CheckpointError(without_local_paths(reason, self.root)) from None
                named = replace(checkpoint.info, name=info.name)  # the folder name of a download is meaningless
                self._models[key] = LoadedModel(replace(checkpoint, info=named))
            self._models.move_to_end(key)
            while len(self._models) > 1 and not self._has_room():
                self._models.popitem(last=False)
            return self._models[key]

    def _loaded(self, name: str | None, step: int | None) -> LoadedModel:
        """Return a checkpoint that is loaded and unchanged on disk. Raises KeyError."""
        _, (infos, _) = self._listing or ((), ([], {}))
        info = {info.name: info for info in infos}[name or ""]
        key = (info.name, info.saved_steps[-1] if step is None else step, signature_of(info.folder))
        self._models.move_to_end(key)
        return self._models[key]

    def _has_room(self) -> bool:
        parameters = sum(loaded.info.parameters for loaded in self._models.values())
        return len(self._models) <= MAX_LOADED and parameters <= MAX_PARAMETERS

    def nearest_checkpoint(self, name: str | None, step: int | None) -> LoadedModel | None:
        """Return a checkpoint, of the same name and step if possible; None without any."""
        for choice in ((name, step), (name, None), (None, None)):
            with suppress(CheckpointError):
                return self.load(*choice)
        return None
