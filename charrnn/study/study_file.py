"""Read docs/study.json, and store rows in it."""

import json
import math
from pathlib import Path
from typing import Any

from charrnn.checkpoint.safetensors_io import write_bytes
from charrnn.study.study_parts import PARTS


def store_row(path: Path, name: str, source: dict[str, Any], row: dict[str, Any], anew: bool = False) -> None:
    """
    Store a row in the study in place of the one with the same key, atomically.

    source: the part's machine, data_sha256 and settings. anew: drop the other rows of the part. Raises ValueError if
    stored rows have other ones.
    """
    study, row = read_study(path), rounded(row)
    if anew:
        study.pop(name, None)
    require_same(path, name, study, source)
    key = PARTS[name].key
    others = [other for other in study.get(name, {"rows": []})["rows"] if any(other[part] != row[part] for part in key)]
    write_bytes(path, as_text(study | {name: source | {"rows": [*others, row]}}).encode("utf-8"))


def require_same(path: Path, name: str, study: dict[str, Any], source: dict[str, Any]) -> None:
    """Raise ValueError if stored rows have another text or other settings."""
    for what in ("data_sha256", "settings"):
        if name in study and study[name][what] != source[what]:
            raise ValueError(
                f"the rows of {name} in {path} have the {what} {study[name][what]}, not {source[what]}: "
                "give those, begin the part --anew, or name another file with --out"
            )


def read_study(path: Path) -> dict[str, Any]:
    """Read the study. Raises ValueError if the file is not one."""
    if not path.exists():
        return {}
    try:
        study = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(study, dict) or not all(is_part(name, part) for name, part in study.items()):
            raise ValueError("it was written by another program or version")
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not a study ({error}): repair it, or name another file with --out") from None
    return study


def is_part(name: str, part: Any) -> bool:
    """Return whether a value is a part of the study whose rows have its key."""
    if name not in PARTS or not isinstance(part, dict) or part.keys() != {"machine", "data_sha256", "settings", "rows"}:
        return False
    rows = part["rows"]
    return isinstance(rows, list) and all(isinstance(row, dict) and {*PARTS[name].key} <= row.keys() for row in rows)


def rounded(value: Any) -> Any:
    """Return a row as JSON: six digits, null for a number that is not finite."""
    if isinstance(value, dict):
        return {name: rounded(part) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [rounded(part) for part in value]
    if isinstance(value, float):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    return value


def as_text(study: dict[str, Any]) -> str:
    """Serialize with one row per line, so that a new row is one line of a diff."""

    def line(value: Any) -> str:
        return json.dumps(value, ensure_ascii=False, allow_nan=False)

    parts = []
    for name in sorted(study, key=list(PARTS).index):
        heads = [f" {line(what)}: {line(study[name][what])}" for what in ("machine", "data_sha256", "settings")]
        rows = ",\n".join(f"  {line(row)}" for row in study[name]["rows"])
        parts.append(f"{line(name)}: {{\n" + ",\n".join([*heads, f' "rows": [\n{rows}\n ]']) + "\n}")
    return "{\n" + ",\n".join(parts) + "\n}\n"
