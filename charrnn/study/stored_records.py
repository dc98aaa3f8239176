"""Records of the measurements: checkpoints, other runs, study, benchmarks."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from charrnn.analysis_record import AnalysisRecord
from charrnn.checkpoint import CheckpointInfo, describe
from charrnn.seed_means import Mean, by_recipe, mean_of
from charrnn.training import RECIPES

BENCHES = ("train", "sample", "gradients", "profile")


@dataclass(frozen=True)
class Records:
    """The stored records. Raises OSError or ValueError for a missing file or row."""

    root: Path

    @cached_property
    def bundled(self) -> list[CheckpointInfo]:
        """The bundled checkpoints."""
        return [describe(self.root / "checkpoints" / name) for name in RECIPES]

    @cached_property
    def other_runs(self) -> list[dict[str, Any]]:
        """The runs that are not bundled."""
        return self._json("runs.json")

    @cached_property
    def runs(self) -> dict[str, dict[str, Any]]:
        """Runs by name: {name, seed, parameters, step, recipe, metrics}."""
        return {run["name"]: run for run in [*map(record, self.bundled), *self.other_runs]}

    @cached_property
    def study(self) -> dict[str, Any]:
        """`docs/study.json`, as `scripts/study.py` describes it."""
        return self._json("study.json")

    def bench(self, verb: str) -> dict[str, Any]:
        """Return the record of a benchmark."""
        return self._json(f"bench_{verb}.json")

    def bench_if_measured(self, verb: str) -> dict[str, Any] | None:
        """Return the record of a benchmark; None if there is none."""
        return self.bench(verb) if (self.root / "docs" / f"bench_{verb}.json").exists() else None

    def rows(self, part: str, **key: Any) -> list[dict[str, Any]]:
        """Return the rows of a part of the study with these values."""
        if part not in self.study:
            raise ValueError(f"docs/study.json has no {part}: run python scripts/study.py {part}")
        return [row for row in self.study[part]["rows"] if all(row[name] == value for name, value in key.items())]

    def row(self, part: str, **key: Any) -> dict[str, Any]:
        """Return the only row of a part of the study with these values."""
        matching = self.rows(part, **key)
        if len(matching) != 1:
            raise ValueError(
                f"docs/study.json has {len(matching)} rows of {part} with {key}: run scripts/study.py {part}"
            )
        return matching[0]

    def info(self, name: str) -> CheckpointInfo:
        """Return a bundled checkpoint by name."""
        (info,) = [info for info in self.bundled if info.name == name]
        return info

    def analysis(self, info: CheckpointInfo, section: str) -> AnalysisRecord:
        """Return a stored analysis of a checkpoint."""
        if section not in info.analyses.sections:
            reasons = "; ".join(info.analyses.refused) or f"it has no section {section}"
            raise ValueError(f"{info.folder}: {reasons}; run python scripts/analyse.py {info.folder}")
        return info.analyses.sections[section]

    def memory(self, name: str) -> AnalysisRecord:
        """Return the stored context use of a run; without its curves if it is not bundled."""
        if name in RECIPES:
            return self.analysis(self.info(name), "memory")
        if "memory" not in self.runs.get(name, {}):
            raise ValueError(
                f"docs/runs.json has no context use of {name}: train it, then python scripts/analyse.py FOLDER "
                "--sections memory and python scripts/report.py --runs FOLDER"
            )
        return AnalysisRecord(self.runs[name]["memory"])

    @cached_property
    def recipes(self) -> dict[str, list[Mapping[str, Any]]]:
        """Runs of one recipe, one per seed, by the name of the first."""
        return by_recipe(self.runs.values())

    def losses(self, name: str, figure: str = "val_stream_nats") -> list[float]:
        """Return a loss of each run of a recipe; figure: key of the metrics."""
        if name not in self.recipes:
            raise ValueError(f"there is no run {name}: train it, then python scripts/report.py --runs FOLDER")
        return [run["metrics"][figure] for run in self.recipes[name]]

    def mean(self, name: str, figure: str = "val_stream_nats") -> Mean:
        """Return the mean of a loss over the runs of a recipe, see `mean_of`."""
        groups = [self.losses(each, figure) for each in self.recipes]
        mean = mean_of(self.losses(name, figure), groups)
        if mean is None:
            raise ValueError("no recipe has three runs: train other seeds, then python scripts/report.py --runs FOLDER")
        return mean

    def _json(self, name: str) -> Any:
        path = self.root / "docs" / name
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise ValueError(f"{path} cannot be read ({error}): repair it, or remove it") from None


def record(info: CheckpointInfo) -> dict[str, Any]:
    """Return the entry of a checkpoint in `docs/runs.json`: with `memory`, if its context use was analysed."""
    numbers = {"seed": info.seed, "parameters": info.parameters, "step": info.step}
    analysed = {"memory": dict(info.analyses.sections["memory"].facts)} if "memory" in info.analyses.sections else {}
    return {"name": info.name, **numbers, "recipe": info.recipe, "metrics": info.metrics, **analysed}
