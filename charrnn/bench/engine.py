"""
Compare the page's engine with Python: `python scripts/bench.py engine`.

Both write the same texts from one prompt, one after the other, the engine under node. Prints characters per CPU second,
how many texts are equal, and the largest difference of any logit, state or gate on the start of the first text. Run it
with OMP_NUM_THREADS=1: threads that wait count as CPU time. Nothing is asserted.
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

import numpy as np
import torch

from charrnn.bench.result_tables import ENGINE_HEADS, engine_rows
from charrnn.checkpoint import Checkpoint, load
from charrnn.clamps import Clamp
from charrnn.export import recorded_step
from charrnn.export.network_file import pack_network
from charrnn.flag_types import COUNT, Number
from charrnn.gradient_flow import SCALE_RANGE, scale_recurrent
from charrnn.paths import CHECKPOINTS
from charrnn.profiling import machine
from charrnn.ranges import Range
from charrnn.sampling import SamplingSettings, UniformStream, generate
from charrnn.text_tables import columns

PROMPT = "ROMEO:\n"
SETTINGS = {"off": SamplingSettings(), "on": SamplingSettings(0.8, top_k=20, top_p=0.95, min_p=0.02)}
COMPARED = 200  # characters of the first text whose outputs are compared
TIMEOUT_S = 3600


def parser() -> argparse.ArgumentParser:
    """Return the parser of the flags."""
    flags = argparse.ArgumentParser(prog="bench.py engine", description="Compare the page's engine with Python.")
    flags.add_argument(
        "--networks", nargs="+", default=[path.name for path in sorted(CHECKPOINTS.iterdir())], metavar="NAME"
    )
    flags.add_argument("--seeds", type=COUNT, default=4, help="texts of each network (default 4)")
    flags.add_argument("--chars", type=COUNT, default=3000, help="characters of a text (default 3000)")
    flags.add_argument(
        "--recurrent-scale", type=Number(Range(*SCALE_RANGE)), default=1.0, metavar="G", help="W_hh × G (default 1)"
    )
    flags.add_argument("--clamp", metavar="NAME", help="clamp unit 3 of an activation at 0.5, such as h or f")
    flags.add_argument("--node", default="node", help="the command that runs node (default node)")
    flags.add_argument("--json", action="store_true", help="print the figures as JSON")
    return flags


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the comparison and return the exit code."""
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
            engine_results = _run_engine(options, files, settings)
            records += [
                _compare(options, name, trained[name], filters, settings, engine_results[name]) for name in trained
            ]
    if options.json:
        print(
            json.dumps(
                {"machine": machine("cpu"), "seeds": options.seeds, "chars": options.chars, "rows": records}, indent=1
            )
        )
        return 0
    print(", ".join(f"{key} {value}" for key, value in machine("cpu").items()))
    print(columns(ENGINE_HEADS, engine_rows(records)))
    return 0


def _write_file(path: Path, trained: Checkpoint) -> str:
    views = [*recorded_step(trained.model).activations]
    model = {"characters": trained.vocab.characters, "sha256": trained.info.sha256, "views": views}
    path.write_bytes(pack_network(trained.model, model=model, views=dict.fromkeys(views)))
    return str(path)


def _clamps(options: argparse.Namespace) -> list[Clamp]:
    return [Clamp(options.clamp, 3, 0.5)] if options.clamp else []


def _run_engine(options: argparse.Namespace, files: dict[str, str], settings: SamplingSettings) -> dict[str, Any]:
    """Return texts, CPU seconds and first outputs of each network."""
    request = {"files": files, "seeds": [*range(options.seeds)], "characters": options.chars, "prompt": PROMPT}
    request |= {"clamps": [vars(clamp) for clamp in _clamps(options)], "scale": options.recurrent_scale}
    script = Path(__file__).with_name("engine_texts.mjs")
    command = [options.node, "--no-warnings", str(script)]
    done = subprocess.run(
        command,
        input=json.dumps(request | {"settings": vars(settings), "compared": COMPARED}),
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
    engine_results: dict[str, Any],
) -> dict[str, Any]:
    """Write the same texts in Python and return one record."""
    model, vocab, clamps = trained.model, trained.vocab, _clamps(options)
    decoder = (model if options.recurrent_scale == 1 else scale_recurrent(model, options.recurrent_scale)).decoder()
    start, texts = time.process_time(), []
    for seed in range(options.seeds):
        steps = generate(
            decoder, decoder.prefill(vocab.encode(PROMPT)), options.chars, settings, UniformStream(seed), clamps=clamps
        )
        texts.append(PROMPT + vocab.decode([step.id for step in steps]))
    seconds, characters = time.process_time() - start, options.seeds * options.chars
    outputs = (decoder.clamped(clamps) if clamps else decoder).read(vocab.encode(texts[0][:COMPARED]))
    pairs = [(engine_results["activations"][each], values) for each, values in outputs.activations.items()]
    pairs.append((engine_results["logits"], outputs.logits))
    return {
        "name": name,
        "filters": filters,
        "texts": options.seeds,
        "difference": max(float(np.abs(np.subtract(ours, theirs)).max()) for ours, theirs in pairs),
        "equal": sum(ours == theirs for ours, theirs in zip(texts, engine_results["texts"], strict=True)),
        "python_chars_per_s": characters / seconds,
        "engine_chars_per_s": characters / engine_results["seconds"],
    }
