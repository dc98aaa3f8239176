"""
Compute what the page shows of a checkpoint and store it in its `analyses.json`.

    python scripts/analyse.py                                the bundled checkpoints: what is missing
    python scripts/analyse.py checkpoints/mine --data mine.txt     on the text it was trained on
    python scripts/analyse.py --sections bits --anew         these sections, also if they are stored

All analyses use the validation part of the text. A checkpoint that was trained on another text is skipped.
Each section is stored as soon as it is done, so an interrupted run can be repeated.

Contents of the sections, besides the SHA-256 of the text and the number of validation characters:

memory  effective context and replaced characters, see `charrnn.context_use`: loss_nats and excess_nats with n = 1, 2, …
        characters of context, shuffled_excess_nats behind a shuffled prefix; KL, nats, k = 1, 2, … characters after
        4,096 replaced ones; lengths read off these curves with 95 % intervals (_low, _high)
gradient  gradient norm by lag at 4,096 positions, relative to lag 0, see `charrnn.gradient_flow`: median,
        low, high, geometric_mean, half_life_chars, horizon_chars (1 %), their 95 % intervals (_low, _high; null: beyond
        the last lag); of a recurrent network the first Lyapunov exponent on the first exponent_characters, its standard
        error and 95 % interval, and the slope of the geometric mean at large lags, in nats a character
units   scores of units against concepts, see `charrnn.neurons`, on the first 10,000 characters: for each activation
        (h, c, gates, layers) the best unit of each concept, chosen on their first half, its score on the second with
        its 95 % interval, the 99th percentile of untrained units, and chance: how many concepts have a unit in 16
        more untrained networks, on average
bits    bits of surprise by kind of character, in each of 32 stretches of the text, see `charrnn.surprisal`

Exit code 2 if a checkpoint, or a section of one, could not be analysed; the others are.
"""

import argparse
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from charrnn import checkpoint, script_runner
from charrnn.analysis_record import AnalysisRecord
from charrnn.bootstrap import interval_facts
from charrnn.checkpoint import Checkpoint, write_analyses
from charrnn.context_use import memory_record, memory_used
from charrnn.corpus import Corpus, read_text, tiny_shakespeare
from charrnn.flag_types import THREADS, path
from charrnn.gradient_flow import flow_record, gradient_flow, lyapunov_exponents, tail_slope
from charrnn.neurons import ConceptTargets, leaderboard_record, leaderboards, sha256_of
from charrnn.paths import CHECKPOINTS
from charrnn.surprisal import kind_record, surprisals
from charrnn.training import untrained

UNITS_READ = 10_000  # characters: the page's default text
UNTRAINED_UNITS = 2048
CHANCE_NETWORKS = 16  # more untrained networks, which give the number of concepts found by chance
GRADIENT_POSITIONS = 4096  # spread over the whole text
EXPONENT_CHARS = 16_384  # read for the Lyapunov exponent

Analysis = Callable[[Checkpoint, Corpus], AnalysisRecord]


def bits(trained: Checkpoint, corpus: Corpus) -> AnalysisRecord:
    """Measure the surprisal of the validation text by character class."""
    ids = corpus.val_ids.tolist()
    return kind_record(trained.vocab.decode(ids), np.concatenate([*surprisals(trained.model.decoder(), ids)]))


def memory(trained: Checkpoint, corpus: Corpus) -> AnalysisRecord:
    """Measure context use and the influence of a replaced character."""
    return memory_record(memory_used(trained.model, corpus.val_ids.tolist(), seed=0))


def gradient(trained: Checkpoint, corpus: Corpus) -> AnalysisRecord:
    """Measure gradient norms and the first Lyapunov exponent."""
    ids = corpus.val_ids.tolist()
    flow = gradient_flow(trained.model, ids, positions=GRADIENT_POSITIONS)
    found = flow_record(flow, len(ids))
    facts = dict(found.facts)
    if trained.info.cell != "minigpt":
        read = ids[:EXPONENT_CHARS]
        first = lyapunov_exponents(trained.model, read)
        facts |= {"exponent": float(first.exponents[0]), "exponent_error": float(first.errors[0])}
        facts |= interval_facts("exponent", first.interval) | {"exponent_characters": len(read)}
        facts["tail_slope"] = tail_slope(flow)
    return replace(found, facts=facts)


def units(trained: Checkpoint, corpus: Corpus) -> AnalysisRecord:
    """Score the units against concepts and untrained networks."""
    info, ids = trained.info, corpus.val_ids[:UNITS_READ].tolist()
    networks = -(-UNTRAINED_UNITS // info.hidden_dim)
    baseline, others = (
        (untrained(info.config, len(info.vocab), info.recipe, seed) for seed in seeds)
        for seeds in (range(networks), range(networks, networks + CHANCE_NETWORKS))
    )
    text = info.vocab.decode(ids)
    return leaderboard_record(leaderboards(trained.model, baseline, ConceptTargets.of(text), ids, others), text)


ANALYSES: dict[str, Analysis] = {"gradient": gradient, "memory": memory, "bits": bits, "units": units}


def analyse(
    folder: Path, text: str, sections: Sequence[str], anew: bool, analyses: Mapping[str, Analysis]
) -> tuple[str, list[str]]:
    """
    Compute sections of a checkpoint's analyses -> (summary, errors).

    A section that fails does not affect the others. Raises ValueError for a checkpoint that cannot be read.
    """
    info = checkpoint.describe(folder)
    if info.edited:  # stored analyses do not name their equations
        raise ValueError(
            f"{info.name}: its equations were edited ({info.edited}), so no analyses are stored: undo the edit of "
            "cells.py or minigpt/equations.py first"
        )
    if sha256_of(text) != info.data_sha256:
        return f"{info.name}: skipped, it was trained on another text", []
    corpus = Corpus.from_text(text, info.vocab)
    todo = [name for name in sections if anew or name not in info.analyses.sections]
    if todo:
        checkpoint.require_replaceable(folder)  # before minutes of computing
    trained = checkpoint.load(folder) if todo else None
    done, errors = [f"{name} is stored" for name in sections if name not in todo], []
    for name in todo:
        assert trained is not None
        start = time.perf_counter()
        try:
            found = analyses[name](trained, corpus)
        except ValueError as error:
            errors.append(f"{info.name}: {name} could not be computed: {error}")
            continue
        facts = {"data_sha256": corpus.sha256, "characters": len(corpus.val_ids), **found.facts}
        write_analyses(folder, info.sha256, {name: replace(found, facts=facts)})
        done.append(f"{name} in {time.perf_counter() - start:.0f} s")
    return f"{info.name}: {', '.join(done) or 'nothing was computed'}", errors


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = script_runner.script_parser(__doc__)
    bundled = sorted(path.parent for path in CHECKPOINTS.glob("*/model.safetensors"))
    parser.add_argument("folders", type=path, nargs="*", default=bundled, metavar="FOLDER", help="default: all bundled")
    parser.add_argument("--data", type=path, help="the text they were trained on (default: Tiny Shakespeare)")
    parser.add_argument("--sections", nargs="+", choices=[*ANALYSES], default=[*ANALYSES], help="default: all")
    parser.add_argument("--anew", action="store_true", help="also sections that are stored")
    parser.add_argument("--threads", type=THREADS, help="CPU threads (default: all)")
    return parser.parse_args(arguments)


@script_runner.lasting_output()
def main(arguments: Sequence[str] | None = None) -> int:
    """Analyse one checkpoint after the other and return the exit code."""
    options = parse(arguments)
    if options.threads:
        torch.set_num_threads(options.threads)
    try:
        text = read_text(options.data) if options.data else tiny_shakespeare()
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    code = 0
    for folder in options.folders:
        try:
            done, errors = analyse(folder, text, options.sections, options.anew, ANALYSES)
            print(done, flush=True)
            for reason in errors:
                print(reason, file=sys.stderr, flush=True)
                code = 2
        except (ValueError, OSError) as error:
            print(error, file=sys.stderr, flush=True)
            code = 2
    return code
