"""Tables of docs/performance.md from the stored records of the benchmarks."""

from typing import Any

from charrnn.bench.result_tables import ENGINE_HEADS, GOALS, LOAD_HEADS, UNITS, engine_rows, load_rows, shown
from charrnn.study.stored_records import Records
from charrnn.text_tables import markdown_table


def sections(records: Records) -> dict[str, str]:
    """Return the generated sections of the document by name."""
    return {"speed": speed(records), "load": load(records), "engine": engine(records)}


def speed(records: Records) -> str:
    """Format the records of the benchmarks."""
    return "\n\n".join(_speed(verb, records.bench(verb)) for verb in ("train", "sample", "gradients"))


def _speed(verb: str, record: dict[str, Any]) -> str:
    machine = record["machine"]
    titles = {
        "train": "One training step (batch {batch}, {seq_len} characters, {hidden_dim} units)",
        "sample": "Writing {chars} characters (temperature, top-k, top-p on; hidden states kept)",
        "gradients": "Gradient flow ({positions} positions, {lags} lags, float64)",
    }
    keys = [key for key in UNITS if key in record["rows"][0]]
    heads = [titles[verb].format(**record), *(UNITS[key][0] for key in keys), "ratio wanted"]
    wanted = {name: f"≤ {most:g}" for name, most in GOALS[verb].items()}
    body = [[*shown(row, keys), wanted.get(row["name"], "")] for row in record["rows"]]
    threads = "1 thread" if machine["threads"] == 1 else f"{machine['threads']} threads"
    return markdown_table(heads, body) + f"\n\n<sub>{machine['processor']}, {threads}, torch {machine['torch']}</sub>"


def load(records: Records) -> str:
    """Format the record of many pages at once, or the command that measures it."""
    record = records.bench_if_measured("load")
    if record is None:
        return "`python scripts/report.py --load` measures many pages at once and puts its table here."
    settings = f"{record['checkpoint']}, {record['seconds']:g} s at {record['speed']} characters/s, on the same cores"
    note = f"<sub>{settings}; {record['machine']['processor']}, {record['machine']['cores']} cores</sub>"
    return f"{markdown_table(LOAD_HEADS, load_rows(record))}\n\n{note}"


def engine(records: Records) -> str:
    """Format the record of the page's engine, or the command that measures it."""
    record = records.bench_if_measured("engine")
    if record is None:
        return "`python scripts/report.py --engine` compares the page's engine with Python and puts its table here."
    machine = record["machine"]
    protocol = (
        f"{record['seeds']} texts of {record['chars']:,} characters per row, characters per CPU second, one thread"
    )
    note = f"<sub>{protocol}; {machine['processor']}, torch {machine['torch']}</sub>"
    return f"{markdown_table(ENGINE_HEADS, engine_rows(record['rows']))}\n\n{note}"
