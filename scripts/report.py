"""
Write the tables of README.md: results from the checkpoints, speed from the benchmark's own records.

    python scripts/report.py             write them between their markers
    python scripts/report.py --check     exit code 1 where README.md is not what this would write
    python scripts/report.py --bench     run the benchmarks first and keep their records in docs/ (minutes)
    python scripts/report.py --runs FOLDER …    keep what these checkpoints reached, without bundling them
"""

import argparse
import json
import math
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY))

from charrnn.checkpoint import CheckpointInfo, describe
from charrnn.metrics import bits_per_char, perplexity
from scripts.bench import UNITS

BUNDLED = ("rnn", "rnn-lab")
BENCHES = ("train", "sample", "gradients")
HEADS = "checkpoint|seed|parameters|steps|minutes|train|val `stream`|val `cold`|bits|perplexity".split("|")


def results(root: Path) -> str:
    """The table of what the bundled checkpoints reach, the best first, then what the runs do that are not bundled."""
    ordered = sorted(map(record, bundled(root)), key=lambda run: run["metrics"]["val_stream_nats"])
    return markdown_table(HEADS, [_result(run) for run in [*ordered, *kept_runs(root)]])


def bundled(root: Path) -> list[CheckpointInfo]:
    """The checkpoints that come with the repository; what else was trained beside them is nobody's but its owner's."""
    return [describe(root / "checkpoints" / name) for name in BUNDLED]


def record(info: CheckpointInfo) -> dict[str, Any]:
    """What a run reached, as `docs/runs.json` keeps it."""
    kept = ("train_loss_nats", "val_stream_nats", "val_cold_nats", "initial_loss_nats", "minutes")
    metrics = {key: info.metrics[key] for key in kept}
    numbers = {"seed": info.seed, "parameters": info.parameters, "step": info.step}
    return {"name": info.name, **numbers, "recipe": info.recipe, "metrics": metrics}


def kept_runs(root: Path) -> list[dict[str, Any]]:
    """The runs in `root/docs/runs.json`."""
    return json.loads((root / "docs" / "runs.json").read_text(encoding="utf-8"))


def keep_runs(root: Path, folders: Sequence[Path]) -> None:
    """Put what these checkpoints reached into `root/docs/runs.json`, in place of runs of the same name."""
    new = [record(describe(folder)) for folder in folders]
    names = {run["name"] for run in new}
    runs = [run for run in kept_runs(root) if run["name"] not in names] + new
    text = json.dumps(sorted(runs, key=lambda run: run["name"]), indent=1)
    (root / "docs" / "runs.json").write_text(text + "\n", encoding="utf-8")


def _result(run: dict[str, Any]) -> list[str]:
    metrics, stream = run["metrics"], run["metrics"]["val_stream_nats"]
    losses = [f"{metrics[key]:.3f}" for key in ("train_loss_nats", "val_stream_nats", "val_cold_nats")]
    size = [f"{run['seed']}", f"{run['parameters']:,}", f"{run['step']}", f"{metrics['minutes']:.1f}"]
    return [f"`{run['name']}`", *size, *losses, f"{bits_per_char(stream):.3f}", f"{perplexity(stream):.2f}"]


def initial_loss(root: Path) -> str:
    """A sentence on where training starts."""
    infos = bundled(root)
    losses = ", ".join(f"{info.metrics['initial_loss_nats']:.3f} (`{info.name}`)" for info in infos)
    size = len(infos[0].vocab)
    guess = f"guessing among {size} characters costs ln {size} = {math.log(size):.3f}"
    return f"Before the first update the loss is {losses}; {guess}."


def speed(root: Path) -> str:
    """The tables of the benchmark's records in `root/docs`."""
    records = {verb: json.loads((root / "docs" / f"bench_{verb}.json").read_text(encoding="utf-8")) for verb in BENCHES}
    return "\n\n".join(_speed(verb, record) for verb, record in records.items())


def _speed(verb: str, record: dict[str, Any]) -> str:
    machine = record["machine"]
    titles = {
        "train": "One training step (batch {batch}, {seq_len} characters, {hidden_dim} units)",
        "sample": "Writing {chars} characters (temperature, top-k, top-p on; hidden states kept)",
        "gradients": "Gradient flow ({positions} positions, {lags} lags, float64)",
    }
    keys = [key for key in UNITS if key in record["rows"][0]]
    heads = [titles[verb].format(**record), *(UNITS[key][0] for key in keys)]
    body = [[row["name"], *(UNITS[key][1].format(row[key]) for key in keys)] for row in record["rows"]]
    threads = "1 thread" if machine["threads"] == 1 else f"{machine['threads']} threads"
    return markdown_table(heads, body) + f"\n\n<sub>{machine['processor']}, {threads}, torch {machine['torch']}</sub>"


def markdown_table(heads: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    """A table of Markdown; the first column left-aligned, the others right-aligned."""
    ruler = ["---", *("---:" for _ in heads[1:])]
    return "\n".join(f"| {' | '.join(line)} |" for line in [heads, ruler, *body])


def rewrite(text: str, sections: dict[str, str]) -> str:
    """The text with each section between `<!-- name:begin -->` and `<!-- name:end -->` replaced."""
    for name, content in sections.items():
        begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
        if text.count(begin) != 1 or text.count(end) != 1:
            raise ValueError(f"README.md needs {begin} and {end}, once each")
        before, _, rest = text.partition(begin)
        text = f"{before}{begin}\n{content}\n{end}{rest.partition(end)[2]}"
    return text


def readme(root: Path) -> str:
    """README.md as it should be."""
    text = (root / "README.md").read_text(encoding="utf-8")
    return rewrite(text, {"results": results(root), "start": initial_loss(root), "speed": speed(root)})


def run_benches(root: Path) -> None:
    """Measure, one benchmark after the other, and keep the records."""
    for verb in BENCHES:
        command = [sys.executable, str(root / "scripts" / "bench.py"), verb, "--json"]
        record = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
        (root / "docs" / f"bench_{verb}.json").write_text(record, encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="change nothing; exit code 1 where README.md is stale")
    parser.add_argument("--bench", action="store_true", help="run the benchmarks first and keep their records in docs/")
    parser.add_argument("--runs", nargs="+", type=Path, metavar="FOLDER", help="keep the figures of these checkpoints")
    options = parser.parse_args(arguments)
    try:
        if options.runs:
            keep_runs(REPOSITORY, options.runs)
        if options.bench:
            run_benches(REPOSITORY)
        return write(REPOSITORY, only_check=options.check)
    except (ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 2


def write(root: Path, only_check: bool) -> int:
    """Bring README.md up to date, or only say whether it is; the exit code."""
    path, wanted = root / "README.md", readme(root)
    if path.read_text(encoding="utf-8") == wanted:
        return 0
    if only_check:
        print("README.md is stale: run python scripts/report.py", file=sys.stderr)
        return 1
    path.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
