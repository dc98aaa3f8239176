"""
Write the tables of README.md: results from the checkpoints, speed from the benchmark's own records.

    python scripts/report.py             write them between their markers
    python scripts/report.py --check     exit code 1 where README.md is not what this would write
    python scripts/report.py --bench     run the benchmarks first and keep their records in docs/ (minutes)
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

from charrnn.checkpoint import CheckpointInfo, list_checkpoints
from charrnn.metrics import bits_per_char, perplexity
from scripts.bench import UNITS

BENCHES = ("train", "sample", "gradients")


def results(root: Path) -> str:
    """The table of what the checkpoints under `root/checkpoints` reach, the best first."""
    found, refused = list_checkpoints(root / "checkpoints")
    if refused:
        raise ValueError("; ".join(map(str, refused.values())))
    ordered = sorted(found, key=lambda info: info.metrics["val_stream_nats"])
    heads = [
        "checkpoint",
        "parameters",
        "steps",
        "minutes",
        "train",
        "val `stream`",
        "val `cold`",
        "bits",
        "perplexity",
    ]
    return markdown_table(heads, [_result(info) for info in ordered])


def _result(info: CheckpointInfo) -> list[str]:
    metrics, stream = info.metrics, info.metrics["val_stream_nats"]
    losses = [f"{metrics[key]:.3f}" for key in ("train_loss_nats", "val_stream_nats", "val_cold_nats")]
    size = [f"{info.parameters:,}", f"{info.step}", f"{metrics['minutes']:.1f}"]
    return [f"`{info.name}`", *size, *losses, f"{bits_per_char(stream):.3f}", f"{perplexity(stream):.2f}"]


def initial_loss(root: Path) -> str:
    """A sentence on where training starts."""
    found, _ = list_checkpoints(root / "checkpoints")
    losses = ", ".join(f"{info.metrics['initial_loss_nats']:.3f} (`{info.name}`)" for info in found)
    return (
        f"Before the first update the loss is {losses}; guessing among 65 characters costs ln 65 = {math.log(65):.3f}."
    )


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
    options = parser.parse_args(arguments)
    if options.bench:
        run_benches(REPOSITORY)
    path = REPOSITORY / "README.md"
    wanted = readme(REPOSITORY)
    if path.read_text(encoding="utf-8") == wanted:
        return 0
    if options.check:
        print("README.md is stale: run python scripts/report.py", file=sys.stderr)
        return 1
    path.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
