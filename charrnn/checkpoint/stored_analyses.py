"""
Stored analyses (`analyses.json`), keyed by the model's SHA-256.

The file may come from an untrusted source: invalid sections are skipped with a warning and never prevent a checkpoint
from being used.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from charrnn.analysis_record import NAME, AnalysisRecord, RecordError
from charrnn.checkpoint.safetensors_io import CheckpointError, parse_json, read_small, require_writable, write_bytes

ANALYSES = "analyses.json"
MAX_BYTES, MAX_SECTIONS = 1 << 19, 16
FORMAT = 1


@dataclass(frozen=True)
class Analyses:
    """The valid sections by name, and one sentence per invalid one."""

    sections: Mapping[str, AnalysisRecord] = field(default_factory=dict)
    refused: tuple[str, ...] = ()


def read_analyses(folder: Path, sha256: str) -> Analyses:
    """Read a folder's analyses of the model with this SHA-256; empty without a file."""
    path = folder / ANALYSES
    if not os.path.exists(path):
        return Analyses()
    try:
        document = require_analyses(path)
    except CheckpointError as error:
        return Analyses(refused=(str(error),))
    if document.get("sha256") != sha256:
        return Analyses(refused=(f"{path} belongs to another model than the one beside it",))
    if len(document["sections"]) > MAX_SECTIONS:
        return Analyses(refused=(f"{path} has {len(document['sections'])} sections: {MAX_SECTIONS} at most",))
    sections, refused = {}, []
    for name, value in document["sections"].items():
        try:
            if not NAME.fullmatch(name):
                raise RecordError("a name consists of small letters, digits and _")
            sections[name] = AnalysisRecord.from_json(value)
        except RecordError as error:
            refused.append(f"{path}, section {name[:50]!r}: {error}")
    return Analyses(sections, tuple(refused))


def require_analyses(path: Path) -> dict[str, Any]:
    """Validate a whole file, of any model. Raises CheckpointError."""
    try:
        document = parse_json(read_small(path, MAX_BYTES))
    except CheckpointError:
        raise
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} cannot be read: {error}") from None
    if (
        not isinstance(document, dict)
        or document.get("format") != FORMAT
        or not isinstance(document.get("sections"), dict)
    ):
        raise CheckpointError(f"{path} does not hold analyses of format {FORMAT}")
    return document


def require_replaceable(folder: Path) -> None:
    """Raise CheckpointError unless `analyses.json` may be written here."""
    path = folder / ANALYSES
    if path.is_symlink() or path.exists():
        try:
            require_analyses(path)
        except CheckpointError as error:
            raise CheckpointError(f"{error}; it is not replaced: move it away") from None
    require_writable(folder)


def write_analyses(folder: Path, sha256: str, new: Mapping[str, AnalysisRecord]) -> None:
    """
    Write sections, replacing those of the same name; the write is atomic.

    Sections of another model and invalid ones are dropped. Raises CheckpointError for a foreign file and for values
    that could not be read again, else OSError.
    """
    require_replaceable(folder)
    sections = {**read_analyses(folder, sha256).sections, **new}
    wrong = [name for name in sections if not NAME.fullmatch(name)]
    if wrong or len(sections) > MAX_SECTIONS:
        raise CheckpointError(f"{folder / ANALYSES} cannot store {wrong or len(sections)}: {MAX_SECTIONS} short names")
    parts = ",\n".join(f"{json.dumps(name)}: {sections[name].as_json()}" for name in sorted(sections))
    text = f'{{\n"format": {FORMAT},\n"sha256": {json.dumps(sha256)},\n"sections": {{\n{parts}\n}}\n}}\n'
    data = text.encode("utf-8")
    if len(data) > MAX_BYTES:
        raise CheckpointError(f"{folder / ANALYSES} would take {len(data)} bytes: {MAX_BYTES} at most")
    write_bytes(folder / ANALYSES, data)
