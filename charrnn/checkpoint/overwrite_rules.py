"""
Decide whether a run may write to a folder.

A folder may be written if it holds only files of a checkpoint or of an unfinished run, each in the form in which this
package writes it. Files of other folders are never replaced or deleted.
"""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from charrnn.checkpoint.checkpoint_info import CheckpointInfo
from charrnn.checkpoint.file_names import (
    CONFIG,
    HISTORY,
    MAX_PASSAGE_BYTES,
    MODEL,
    PASSAGE,
    RUN,
    SHARED_KEYS,
    STEP_NAME,
    STEPS,
    require_step,
)
from charrnn.checkpoint.loading import describe
from charrnn.checkpoint.metadata_schema import require_name
from charrnn.checkpoint.safetensors_io import (
    MAX_HEADER_BYTES,
    TEMPORARY,
    WRITING,
    CheckpointError,
    parse_json,
    read_metadata,
    read_small,
)
from charrnn.checkpoint.stored_analyses import ANALYSES, require_analyses
from charrnn.metrics import Metrics

MAX_COPY_BYTES = 4 * MAX_HEADER_BYTES  # of config.json and history.json: the header again, indented
HALF_WRITTEN = re.compile(rf"{re.escape(WRITING)}(?P<name>.+)\.[a-z0-9_]+{re.escape(TEMPORARY)}")
SYSTEM_FILES = {".DS_Store", "Thumbs.db", "desktop.ini"}
MAX_LISTED = 3  # foreign entries in a message
ADVICE = "move that away, or name another folder"


class Verdict(Enum):
    """Decision whether a run may write to a folder."""

    FREE = "the folder is empty"
    RESUME = "the folder holds an unfinished run of this recipe, seed and text"
    SAME = "the folder holds a checkpoint of this recipe, seed and text"
    REPLACE = "the folder holds a checkpoint of another recipe, seed or text that may be replaced"
    REFUSED = "the folder may not be written"


@dataclass(frozen=True)
class RunIdentity:
    """Recipe, seed and SHA-256 of the text: they determine the weights."""

    recipe: Mapping[str, Any]
    seed: int
    data_sha256: str

    def differences(self, wanted: "RunIdentity") -> list[str]:
        """List the entries in which a wanted run differs: `batch 8, not 9`."""
        pairs = {name: (self.recipe.get(name), value) for name, value in wanted.recipe.items() if name in self.recipe}
        pairs["seed"] = (self.seed, wanted.seed)
        pairs["a text with sha256"] = (f"{self.data_sha256[:12]}…", f"{wanted.data_sha256[:12]}…")
        return [f"{name} {has}, not {value}" for name, (has, value) in pairs.items() if has != value]


@dataclass(frozen=True)
class Target:
    """A folder with the checkpoint and the unfinished run that it holds."""

    folder: Path
    checkpoint: CheckpointInfo | None = None
    run: Mapping[str, Any] | None = None  # from `Training.state()`

    @property
    def finished(self) -> CheckpointInfo | None:
        """The checkpoint, if its training is finished."""
        info = self.checkpoint
        return info if info and info.finished else None

    def identity(self, defaults: Mapping[str, Any]) -> RunIdentity | None:
        """Return the identity of the unfinished run, else of the checkpoint."""
        if self.run is None:
            info = self.checkpoint
            return info and RunIdentity({**defaults, **info.recipe}, info.seed, info.data_sha256)
        recipe, seed, sha256 = (self.run.get(key) for key in ("recipe", "seed", "data_sha256"))
        if not (isinstance(recipe, dict) and isinstance(seed, int) and isinstance(sha256, str)):
            return None  # damaged: `Training.resume` reports it
        return RunIdentity({**defaults, **recipe}, seed, sha256)

    def verdict(self, wanted: RunIdentity, instead: str | None = None) -> tuple[Verdict, str]:
        """
        Decide whether a run may write to this folder -> (verdict, reason).

        instead: advice if the folder holds a network of another recipe, seed or text; None if the command names this
        folder and may replace its network.
        """
        info, existing = self.checkpoint, self.identity(wanted.recipe)
        differences = existing.differences(wanted) if existing else []
        if self.run is not None and existing and differences:
            text = "give the same --data" if existing.data_sha256 != wanted.data_sha256 else "resume that run"
            return Verdict.REFUSED, (
                f"the run in {self.folder} has {', '.join(differences)}: {text}, or remove {self.folder / RUN} "
                "to start again"
            )
        if info and instead is not None:
            has = RunIdentity({**wanted.recipe, **info.recipe}, info.seed, info.data_sha256).differences(wanted)
            if has:
                kind = "a finished" if self.finished else "an unfinished"
                return Verdict.REFUSED, f"{self.folder} holds {kind} network with {', '.join(has)}: {instead}"
        if self.run is not None:
            return Verdict.RESUME, ""
        if info is None:
            return Verdict.FREE, ""
        return (Verdict.REPLACE if differences else Verdict.SAME), ""


def examine(folder: Path) -> Target:
    """
    Return what a folder holds, if a run may write there; creates nothing.

    Raises CheckpointError with the reason for anything that is not ours, is damaged, or is of another format.
    """
    try:
        return _examined(folder)
    except (OSError, RuntimeError) as error:  # RuntimeError: links in a circle
        raise CheckpointError(f"cannot write {folder}: {getattr(error, 'strerror', error)}") from None


def _examined(folder: Path) -> Target:
    if folder.is_symlink():
        raise CheckpointError(f"{folder} is a link: name the folder that it leads to, {folder.resolve()}")
    try:
        require_name(folder.resolve().name)
    except ValueError as error:
        raise CheckpointError(f"a checkpoint in {folder} would have the name of that folder: {error}") from None
    if folder.resolve() == Path.cwd():
        raise CheckpointError(f"{folder} is the current folder, not one for a checkpoint: name a folder of its own")
    entries = {entry.name: entry for entry in _entries(folder)}
    is_folder = STEPS in entries and entries[STEPS].is_dir(follow_symlinks=False)
    steps = {entry.name: entry for entry in (_entries(folder / STEPS) if is_folder else [])}
    foreign = {
        name for name, entry in entries.items() if name not in CHECKS or not entry.is_file(follow_symlinks=False)
    }
    foreign -= {STEPS} if is_folder else set()
    foreign |= {
        f"{STEPS}/{name}"
        for name, entry in steps.items()
        if not (STEP_NAME.fullmatch(name) and entry.is_file(follow_symlinks=False))
    }
    if foreign:
        more = f" and {len(foreign) - MAX_LISTED} more" if len(foreign) > MAX_LISTED else ""
        listed = ", ".join(sorted(foreign)[:MAX_LISTED])
        raise CheckpointError(f"{folder} holds files that are not part of a checkpoint ({listed}{more}): {ADVICE}")
    if entries and MODEL not in entries and RUN not in entries:
        raise CheckpointError(f"{folder} holds {min(entries)} but neither {MODEL} nor {RUN}: {ADVICE}")
    try:
        for name in entries.keys() & CHECKS.keys():
            CHECKS[name](folder / name)
        for name in steps:
            require_step(folder / STEPS / name)
        info = describe(folder) if MODEL in entries else None
        run = _run_of(folder / RUN) if RUN in entries else None
    except CheckpointError as error:
        raise CheckpointError(f"{error}; nothing in {folder} is replaced: {ADVICE}") from None
    return Target(folder, info, run)


def is_half_written(name: str) -> bool:
    """Return whether a name is that of a temporary file of an interrupted write."""
    match = HALF_WRITTEN.fullmatch(name)
    return match is not None and (match["name"] in CHECKS or STEP_NAME.fullmatch(match["name"]) is not None)


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    """List a folder without temporary and system files."""
    try:
        with os.scandir(folder) as entries:
            return [entry for entry in entries if not is_half_written(entry.name) and entry.name not in SYSTEM_FILES]
    except FileNotFoundError:
        return []


def _run_of(path: Path) -> dict[str, Any]:
    """Return the metadata of an unfinished run. Raises CheckpointError."""
    run = read_metadata(path).get("run")
    if not isinstance(run, dict):
        raise CheckpointError(f"{path} is not the state of a run")
    return run


def _json(path: Path) -> Any:
    try:
        return parse_json(read_small(path, MAX_COPY_BYTES))
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} cannot be read: {error}") from None


def _require_config(path: Path) -> None:
    copy = _json(path)
    if not isinstance(copy, dict) or not {*SHARED_KEYS, "name", "step", "metrics"} <= copy.keys():
        raise CheckpointError(f"{path} is of another program")


def _require_history(path: Path) -> None:
    points = _json(path)
    try:
        Metrics.curve(points)
    except (TypeError, ValueError):
        raise CheckpointError(f"{path} is of another program") from None


def _require_passage(path: Path) -> None:
    try:
        read_small(path, MAX_PASSAGE_BYTES).decode("utf-8")
    except UnicodeDecodeError:
        raise CheckpointError(f"{path} is not UTF-8 text") from None


def _accept(path: Path) -> None:
    """Accept any content; weights are validated when they are loaded."""


CHECKS: dict[str, Callable[[Path], Any]] = {
    MODEL: _accept,
    RUN: _accept,
    CONFIG: _require_config,
    HISTORY: _require_history,
    PASSAGE: _require_passage,
    ANALYSES: require_analyses,
}
