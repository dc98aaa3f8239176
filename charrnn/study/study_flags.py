"""The flags of study.py, by part."""

import argparse
from typing import Any

from charrnn.flag_types import COUNT, SEED, THREADS, WIDTH, WINDOW, Number, name_or_path, path
from charrnn.paths import STUDY
from charrnn.ranges import Range
from charrnn.sampling import LIMITS
from charrnn.script_runner import script_parser
from charrnn.study.study_parts import PARTS
from charrnn.training import LIMITS as OF_TRAINING


def study_parser(description: str | None = None) -> argparse.ArgumentParser:
    """Return the parser of all parts."""
    whole = script_parser(description)
    verbs = whole.add_subparsers(dest="part", required=True)
    flags = {name: verbs.add_parser(name, help=part.help) for name, part in PARTS.items()}

    def add(parts: str, flag: str, kind: Any, default: Any, help: str) -> None:
        """Add a flag to some parts; it takes several values if its default is a list."""
        several: dict[str, Any] = (
            {"nargs": "*" if flag.startswith("--top") else "+"} if isinstance(default, list) else {}
        )
        for part in parts.split():
            flags[part].add_argument(flag, type=kind, default=default, help=f"{help} (default: %(default)s)", **several)

    add("ngram", "--orders", Number(Range(2, 64, whole=True)), [5, 6, 7], "of the n-grams")
    add("sampling", "--checkpoints", name_or_path, ["rnn", "lstm", "minigpt"], "names or folders")
    add("sampling", "--temperatures", Number(LIMITS["temperature"]), [0.5, 0.8, 1.0, 1.2], "of each network")
    add("sampling", "--top-k", Number(LIMITS["top_k"]), [2, 3, 4, 5, 7, 10, 20, 40], "at each temperature")
    add("sampling", "--top-p", Number(LIMITS["top_p"]), [0.5, 0.6, 0.7, 0.8, 0.9, 0.95], "at each temperature")
    add("sampling", "--texts", COUNT, 8, "per sampler, each with its seed")
    add("sampling", "--chars", COUNT, 2000, "per text")
    for part, steps, rates in (("clipping", 2000, [1e-3, 3e-3, 1e-2]), ("relu", 500, [1e-3])):
        add(part, "--learning-rates", Number(OF_TRAINING["learning_rate"]), rates, "of the runs")
        add(part, "--steps", COUNT, steps, "updates")
    add("clipping relu", "--max-grad-norms", Number(OF_TRAINING["max_grad_norm"]), [0.0, 5.0], "0: no clipping")
    for part, seeds in (("clipping", [0, 1, 2]), ("relu", [0, 1, 2, 3, 4, 5])):
        add(part, "--seeds", SEED, seeds, "of the runs")
    add("clipping relu", "--batch", WINDOW, 64, "windows per step")
    add("clipping relu", "--seq-len", WINDOW, 128, "characters per window")
    add("clipping relu", "--every", COUNT, 20, "steps per point of a curve")
    add("clipping relu no_grad", "--hidden-dim", WIDTH, 256, "hidden units")
    add("no_grad", "--chars", COUNT, [500, 2000, 10_000], "per text")
    add("no_grad", "--rounds", COUNT, 9, "of each variant")
    add("recurrent_scale", "--checkpoints", name_or_path, ["rnn", "rnn-layernorm", "gru", "lstm"], "recurrent networks")
    add("recurrent_scale", "--positions", COUNT, 4096, "of held-out text, for the gradients")
    for name, verb in flags.items():
        verb.add_argument("--data", type=path, help="a UTF-8 text (default: Tiny Shakespeare, downloaded once)")
        verb.add_argument("--out", type=path, default=STUDY, help="the study (default: docs/study.json)")
        verb.add_argument("--anew", action="store_true", help="drop the stored rows of the part")
        threads = 1 if name == "no_grad" else None
        verb.add_argument("--threads", type=THREADS, default=threads, help=f"CPU threads (default {threads or 'all'})")
    return whole
