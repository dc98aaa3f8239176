"""
What was worked out about a model and is kept beside it: `analyses.json`, a section for each analysis.

It belongs to one `model.safetensors`, by its sha256, and comes from wherever that does: what is wrong with it is left
out and told, and never keeps a checkpoint from being used.
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
MOST_BYTES, MOST_SECTIONS = 1 << 19, 16
FORMAT = 1


@dataclass(frozen=True)
class Analyses:
    """The sections that could be read, by name, and what was wrong with the others, a sentence each."""

    sections: Mapping[str, AnalysisRecord] = field(default_factory=dict)
    refused: tuple[str, ...] = ()


def read_analyses(folder: Path, sha256: str) -> Analyses:
    """What is kept in this folder about the model of this sha256; nothing where there is no such file."""
    path = folder / ANALYSES
    if not os.path.exists(path):
        return Analyses()
    try:
        whole = require_analyses(path)
    except CheckpointError as error:
        return Analyses(refused=(str(error),))
    if whole.get("sha256") != sha256:
        return Analyses(refused=(f"{path} is about another model than the one beside it",))
    if len(whole["sections"]) > MOST_SECTIONS:
        return Analyses(refused=(f"{path} has {len(whole['sections'])} sections: {MOST_SECTIONS} at most",))
    sections, refused = {}, []
    for name, value in whole["sections"].items():
        try:
            if not NAME.fullmatch(name):
                raise RecordError("small letters, digits and _ make a name")
            sections[name] = AnalysisRecord.from_json(value)
        except RecordError as error:
            refused.append(f"{path}, section {name[:50]!r}: {error}")
    return Analyses(sections, tuple(refused))


def require_analyses(path: Path) -> dict[str, Any]:
    """The whole file, of any model. Raises CheckpointError for one that was not written by `keep_analyses`."""
    try:
        whole = parse_json(read_small(path, MOST_BYTES))
    except CheckpointError:
        raise
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} cannot be read: {error}") from None
    if not isinstance(whole, dict) or whole.get("format") != FORMAT or not isinstance(whole.get("sections"), dict):
        raise CheckpointError(f"{path} does not hold analyses of format {FORMAT}")
    return whole


def require_replaceable(folder: Path) -> None:
    """Raises CheckpointError if the folder has an `analyses.json` that is not ours, or cannot be written."""
    path = folder / ANALYSES
    if path.is_symlink() or path.exists():
        try:
            require_analyses(path)
        except CheckpointError as error:
            raise CheckpointError(f"{error}; it is not replaced: move it away") from None
    require_writable(folder)


def keep_analyses(folder: Path, sha256: str, new: Mapping[str, AnalysisRecord]) -> None:
    """
    Keep these sections about the model of this sha256, in place of those of the same name; the file is written whole.

    Sections about another model, and those that were refused, go. Raises CheckpointError for a file that is not ours
    and for what would not be read again, else OSError.
    """
    require_replaceable(folder)
    sections = {**read_analyses(folder, sha256).sections, **new}
    wrong = [name for name in sections if not NAME.fullmatch(name)]
    if wrong or len(sections) > MOST_SECTIONS:
        raise CheckpointError(f"{folder / ANALYSES} cannot keep {wrong or len(sections)}: {MOST_SECTIONS} short names")
    parts = ",\n".join(f"{json.dumps(name)}: {sections[name].as_json()}" for name in sorted(sections))
    text = f'{{\n"format": {FORMAT},\n"sha256": {json.dumps(sha256)},\n"sections": {{\n{parts}\n}}\n}}\n'
    data = text.encode("utf-8")
    if len(data) > MOST_BYTES:
        raise CheckpointError(f"{folder / ANALYSES} would take {len(data)} bytes: {MOST_BYTES} at most")
    write_bytes(folder / ANALYSES, data)
