"""
Compare the page's engine with the Python decoder: `python scripts/bench.py engine`.

Both write the same texts from one prompt, one after the other, the engine under node. Prints characters per CPU second
and how many texts are equal. Run it with OMP_NUM_THREADS=1: threads that wait count as CPU time. Nothing is asserted.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from charrnn.checkpoint import Checkpoint, load
from charrnn.export import recorded_step
from charrnn.export.network_file import pack_network
from charrnn.flags import COUNT
from charrnn.paths import CHECKPOINTS
from charrnn.profiling import machine
from charrnn.sampling import SamplingSettings, UniformStream, generate
from charrnn.text_tables import columns

PROMPT = "ROMEO:\n"
SETTINGS = {"off": SamplingSettings(), "on": SamplingSettings(0.8, top_k=20, top_p=0.95, min_p=0.02)}
HEADS = ["", "filters", "texts", "equal", "Python, characters/s", "engine, characters/s", "engine / Python"]
TIMEOUT_S = 3600


def parser() -> argparse.ArgumentParser:
    """Return the parser of the flags."""
    flags = argparse.ArgumentParser(prog="bench.py engine", description="Compare the page's engine with Python.")
    flags.add_argument(
        "--networks", nargs="+", default=[path.name for path in sorted(CHECKPOINTS.iterdir())], metavar="NAME"
    )
    flags.add_argument("--seeds", type=COUNT, default=2, help="texts of each network (default 2)")
    flags.add_argument("--chars", type=COUNT, default=1000, help="characters of a text (default 1000)")
    flags.add_argument("--node", default="node", help="the command that runs node (default node)")
    flags.add_argument("--json", action="store_true", help="print the figures as JSON")
    return flags


def main(arguments: Sequence[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    if shutil.which(options.node) is None:
        print(f"bench.py: {options.node} is not found: install node, or give its path by --node", file=sys.stderr)
        return 2
    torch.set_num_threads(1)
    records = []
    with tempfile.TemporaryDirectory() as folder:
        trained = {name: load(CHECKPOINTS / name) for name in options.networks}
        files = {name: _write_file(Path(folder) / name, each) for name, each in trained.items()}
        for filters, settings in SETTINGS.items():
            found = _by_engine(options, files, settings)
            records += [_compare(options, name, trained[name], filters, settings, found[name]) for name in trained]
    if options.json:
        print(
            json.dumps(
                {"machine": machine("cpu"), "seeds": options.seeds, "chars": options.chars, "rows": records}, indent=1
            )
        )
        return 0
    print(", ".join(f"{key} {value}" for key, value in machine("cpu").items()))
    print(columns(HEADS, [_row(record) for record in records]))
    return 0


def _write_file(path: Path, trained: Checkpoint) -> str:
    views = [*recorded_step(trained.model).activations]
    model = {"characters": trained.vocab.characters, "sha256": trained.info.sha256, "views": views}
    path.write_bytes(pack_network(trained.model, model=model, views=dict.fromkeys(views)))
    return str(path)


def _by_engine(options: argparse.Namespace, files: dict[str, str], settings: SamplingSettings) -> dict[str, Any]:
    """Return the texts and CPU seconds of each network. Raises CalledProcessError."""
    asked = {"files": files, "seeds": [*range(options.seeds)], "characters": options.chars, "prompt": PROMPT}
    script = Path(__file__).with_name("engine_texts.mjs")
    command = [options.node, "--no-warnings", str(script)]
    done = subprocess.run(
        command,
        input=json.dumps(asked | {"settings": vars(settings)}),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=TIMEOUT_S,
    )
    return json.loads(done.stdout)


def _compare(
    options: argparse.Namespace,
    name: str,
    trained: Checkpoint,
    filters: str,
    settings: SamplingSettings,
    found: dict[str, Any],
) -> dict[str, Any]:
    """Write the same texts in Python and return one record."""
    decoder, vocab = trained.model.decoder(), trained.vocab
    start, texts = time.process_time(), []
    for seed in range(options.seeds):
        steps = generate(decoder, decoder.prefill(vocab.encode(PROMPT)), options.chars, settings, UniformStream(seed))
        texts.append(PROMPT + vocab.decode([step.id for step in steps]))
    seconds, characters = time.process_time() - start, options.seeds * options.chars
    return {
        "name": name,
        "filters": filters,
        "texts": options.seeds,
        "equal": sum(ours == theirs for ours, theirs in zip(texts, found["texts"], strict=True)),
        "python_chars_per_s": characters / seconds,
        "engine_chars_per_s": characters / found["seconds"],
    }


def _row(record: dict[str, Any]) -> list[str]:
    speeds = record["python_chars_per_s"], record["engine_chars_per_s"]
    counts = [str(record[key]) for key in ("name", "filters", "texts", "equal")]
    return [*counts, *(f"{speed:,.0f}" for speed in speeds), f"{speeds[1] / speeds[0]:.2f}"]
