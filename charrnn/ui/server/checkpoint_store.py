"""The checkpoints a running app offers, each loaded once, and what was worked out about them."""

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
from charrnn.ui.server.loaded_model import TITLES, Reader
from charrnn.ui.server.view_query import Wanted, require

MOST_LOADED = 48
MOST_PARAMETERS = 200_000_000  # of all that are loaded, 4 to 8 bytes each
MOST_WORKED_OUT = 256
REFRESH_S = 30
MOST_TOLD = 3  # of what was refused, in one line


def facts(info: CheckpointInfo) -> str:
    """Size and quality in a few words."""
    size = f"{info.parameters / 1e6:.2f} M" if info.parameters >= 1e6 else f"{round(info.parameters / 1e3)} k"
    loss = info.metrics.get("val_stream_nats")
    quality = f" · {bits_per_char(loss):.2f} bits per character" if loss is not None else ""
    return f"{size} parameters{quality}"


def signature_of(folder: Path) -> tuple:
    """By what a change of any file of a checkpoint is noticed: names, times, sizes."""
    paths = [folder / name for name in FILES]
    with suppress(OSError):
        paths += sorted(folder / STEPS / name for name in os.listdir(folder / STEPS))
    found = []
    for path in paths:
        with suppress(OSError):  # one that is not there, is on its way out, or nobody's to read
            stat = os.stat(path)
            found.append((str(path), stat.st_mtime_ns, stat.st_ino, stat.st_size))
    return tuple(found)


class Store:
    """Checkpoints below one folder. Nothing is read before it is asked for."""

    def __init__(self, root: Path, origin: Origin | None = None):
        self.root = root
        self.origin = origin or Origin(root, str(root))
        self._asked = 0.0  # when it was last looked whether there are newer ones
        self._listing: tuple | None = None
        self._listing_lock = Lock()  # many may come at once: the folder is read, and a model loaded, for all of them
        self._loading_lock = Lock()
        self._refreshing_lock = Lock()
        self._readers: OrderedDict[tuple, Reader] = OrderedDict()
        self.cache = Cache(MOST_WORKED_OUT)
        self._turns: dict[Callable[..., Any], Lock] = {}

    @contextmanager
    def turn(self, work: Callable[..., Any], wanted: Wanted) -> Iterator[None]:
        """Wait until nobody else does this work: it may be the same, and is known then. Raises Superseded."""
        with self._turns.setdefault(work, Lock()):
            require(wanted)
            yield

    def _listed(self) -> tuple[list[CheckpointInfo], dict[str, CheckpointError]]:
        """What lies in the folder; read again when a file has changed, so that a new training run shows."""
        with self._listing_lock:
            signature = self._signature()
            if self._listing is None or self._listing[0] != signature:
                self._listing = signature, list_checkpoints(self.root)
            return self._listing[1]

    def _signature(self) -> tuple:
        return tuple(map(signature_of, [self.root, *checkpoint_folders(self.root)]))

    def cache_key(self) -> tuple:
        """All that an answer can find here: every file of every checkpoint, and the corpus once it is there."""
        return self._signature(), cached_tiny_shakespeare() is not None

    def infos(self) -> list[CheckpointInfo]:
        """The checkpoints that can be used, in the order of TITLES, then by name."""
        rank = {name: i for i, name in enumerate(TITLES)}
        return sorted(self._listed()[0], key=lambda info: (rank.get(info.name, len(rank)), info.name))

    def refresh(self) -> str:
        """Look whether the Hub has newer checkpoints than these; what there is to say of it."""
        with self._refreshing_lock:
            if time.monotonic() < self._asked + REFRESH_S:
                return "The Hub was asked a moment ago: try again in half a minute."
            self._asked = time.monotonic()
            before = self.origin
            try:
                self.origin = fetch(before.source)
            except HubError as error:
                return f"{error.to_visitor}: these stay."
            self.root, self._listing = self.origin.folder, None
            if self.origin.notice:
                return self.origin.notice
            commit = (self.origin.commit or "")[:8]
            if self.origin.source == self.origin.pinned:
                return f"Fixed at commit {commit}: for newer networks, whoever runs the lab starts it again."
            return (
                f"Now at commit {commit}." if self.origin.commit != before.commit else f"Nothing newer than {commit}."
            )

    def problem(self) -> str:
        """Why there is nothing to offer."""
        if self.origin.notice:
            return self.origin.notice
        return (
            self.refusals()
            or f"{self.root.name} holds no checkpoint: train one with scripts/train.py, or name another folder"
        )

    def refusals(self) -> str:
        """What is wrong with the checkpoints that are not offered, the first of them; "" where all of them are."""
        reasons = [self._told(reason) for reason in self._listed()[1].values()]
        more = [f"and {len(reasons) - MOST_TOLD} more"] if len(reasons) > MOST_TOLD else []
        return "; ".join(reasons[:MOST_TOLD] + more)

    def _told(self, reason: CheckpointError) -> str:
        """What is wrong with a file, without where this machine keeps it: that is nobody else's business."""
        return str(reason).replace(f"{self.root}{os.sep}", "").replace(str(self.root), self.root.name)

    def reader(self, name: str | None = None, step: int | None = None) -> Reader:
        """
        The checkpoint of this name after so many training steps; the first on offer, and its last step, by default.

        Raises CheckpointError where there is none, or where it is refused.
        """
        with suppress(KeyError):  # loaded and unchanged: the other folders need not be read
            return self._loaded(name, step)
        offered = {info.name: info for info in self.infos()}
        if name and name not in offered and (reason := self._listed()[1].get(name)):
            raise CheckpointError(self._told(reason))
        if not offered:
            raise CheckpointError(self.problem())
        name = next(iter(offered)) if name is None else name
        if name not in offered:
            raise CheckpointError(f"there is no checkpoint {name!r}: choose one of {', '.join(offered)}")
        info = offered[name]
        step = info.saved_steps[-1] if step is None else step
        if step not in info.saved_steps:
            raise CheckpointError(f"{name} was not saved at step {step}: choose one of {info.saved_steps}")
        key = (name, step, signature_of(info.folder))
        with self._loading_lock:
            if key not in self._readers:
                try:
                    loaded = load(info.folder, step)
                except CheckpointError as reason:  # it was changed, or a step of it is damaged
                    raise CheckpointError(self._told(reason)) from None
                named = replace(loaded.info, name=info.name)  # that of a download's folder says nothing
                self._readers[key] = Reader(replace(loaded, info=named))
            self._readers.move_to_end(key)
            while len(self._readers) > 1 and not self._has_room():
                self._readers.popitem(last=False)
            return self._readers[key]

    def _loaded(self, name: str | None, step: int | None) -> Reader:
        """The named checkpoint if it is loaded from its files as they are now. Raises KeyError."""
        _, (infos, _) = self._listing or ((), ([], {}))
        info = {info.name: info for info in infos}[name or ""]
        key = (info.name, info.saved_steps[-1] if step is None else step, signature_of(info.folder))
        self._readers.move_to_end(key)
        return self._readers[key]

    def _has_room(self) -> bool:
        parameters = sum(reader.info.parameters for reader in self._readers.values())
        return len(self._readers) <= MOST_LOADED and parameters <= MOST_PARAMETERS

    def nearest(self, name: str | None, step: int | None) -> Reader | None:
        """What is on offer in place of a checkpoint, of the same name and step if possible; None if nothing is."""
        for choice in ((name, step), (name, None), (None, None)):
            with suppress(CheckpointError):
                return self.reader(*choice)
        return None
