"""
Write the measured tables of the documents, and docs/lab_sheet.json.

    python scripts/report.py             write them
    python scripts/report.py --check     exit code 1 if they are not up to date
    python scripts/report.py --load      measure 20 and 100 pages at once and store the record (minutes)
    python scripts/report.py --engine    compare the page's engine with Python and store the record (minutes)
    python scripts/report.py --bench     run the benchmarks first and store their records in docs/ (minutes)
    python scripts/report.py --runs FOLDER …    store the metrics of these checkpoints, without bundling them
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from charrnn.checkpoint import describe
from charrnn.checkpoint.safetensors_io import require_result_file, write_bytes
from charrnn.flag_types import path
from charrnn.paths import REPOSITORY
from charrnn.script_runner import script_parser
from charrnn.study import performance_md, readme_md, results_md
from charrnn.study.lab_sheet_answers import lab_sheet
from charrnn.study.stored_records import BENCHES, Records, record


def store_runs(root: Path, folders: Sequence[Path]) -> None:
    """Store the metrics of checkpoints in `root/docs/runs.json`, by name."""
    new = [record(describe(folder)) for folder in folders]
    names = {run["name"] for run in new}
    runs = [run for run in Records(root).other_runs if run["name"] not in names] + new
    text = json.dumps(sorted(runs, key=lambda run: run["name"]), indent=1, ensure_ascii=False)
    write_result(root / "docs" / "runs.json", text + "\n")


def write_result(path: Path, text: str) -> None:
    """Write a file atomically; refuses links. Raises ValueError or OSError."""
    require_result_file(path)
    write_bytes(path, text.encode("utf-8"))


def rewrite(text: str, sections: dict[str, str]) -> str:
    """Replace the sections between `<!-- name:begin -->` and `<!-- name:end -->`."""
    for name, content in sections.items():
        begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
        if text.count(begin) != 1 or text.count(end) != 1:
            raise ValueError(f"the file needs {begin} and {end}, once each")
        before, _, rest = text.partition(begin)
        text = f"{before}{begin}\n{content}\n{end}{rest.partition(end)[2]}"
    return text


def generated_files(root: Path) -> dict[Path, str]:
    """Return the generated files with their content."""
    records = Records(root)
    sections = {
        root / "README.md": {"results": readme_md.results_table(records)},
        root / "docs" / "performance.md": performance_md.sections(records),
    }
    files = {path: rewrite(path.read_text(encoding="utf-8"), parts) for path, parts in sections.items()}
    written = {"results.md": results_md.page(records), "lab_sheet.json": lab_sheet(records)}
    return files | {root / "docs" / name: text for name, text in written.items()}


def run_benches(root: Path, verbs: Sequence[str] = BENCHES) -> None:
    """Run the benchmarks one after the other and store their records."""
    for verb in verbs:
        require_result_file(root / "docs" / f"bench_{verb}.json")  # before minutes of measuring
    for verb in verbs:
        command = [sys.executable, str(root / "scripts" / "bench.py"), verb, "--json"]
        record = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
        write_result(root / "docs" / f"bench_{verb}.json", record)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what the flags ask for, write the files and return the exit code."""
    parser = script_parser(__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; exit code 1 if a file is outdated")
    parser.add_argument(
        "--bench", action="store_true", help="run the benchmarks first and store their records in docs/"
    )
    parser.add_argument(
        "--engine", action="store_true", help="compare the page's engine with Python and store the record"
    )
    parser.add_argument("--load", action="store_true", help="measure many pages at once and store the record (minutes)")
    parser.add_argument("--runs", nargs="+", type=path, metavar="FOLDER", help="store the metrics of these checkpoints")
    options = parser.parse_args(arguments)
    if options.check and (options.bench or options.engine or options.load or options.runs):
        parser.error("--check changes nothing: leave --bench, --engine, --load and --runs out")
    try:
        if options.runs:
            store_runs(REPOSITORY, options.runs)
        if options.bench:
            run_benches(REPOSITORY)
        if options.engine:
            run_benches(REPOSITORY, ["engine"])
        if options.load:
            run_benches(REPOSITORY, ["load"])
        return write(REPOSITORY, only_check=options.check)
    except (ValueError, OSError, subprocess.CalledProcessError) as error:
        print(error, file=sys.stderr)
        return 2


def write(root: Path, only_check: bool) -> int:
    """Update the files, or only report outdated ones, and return the exit code."""
    stale = {
        path: text
        for path, text in generated_files(root).items()
        if not path.exists() or path.read_text("utf-8") != text
    }
    if only_check and stale:
        names = ", ".join(path.relative_to(root).as_posix() for path in stale)
        print(f"{names}: not what python scripts/report.py writes", file=sys.stderr)
        return 1
    for file, text in stale.items():
        write_result(file, text)
    return 0
