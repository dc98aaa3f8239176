"""
Run the parts of the study and store their rows in docs/study.json.

    python scripts/study.py ngram               Kneser-Ney, orders 5 to 7
    python scripts/study.py sampling            text quality: top-k against top-p at the same temperatures
    python scripts/study.py clipping            the lab sheet's recipe with its clipping and without
    python scripts/study.py relu                ReLU in the place of tanh
    python scripts/study.py no_grad             sampling inside `torch.no_grad()` and outside
    python scripts/study.py reach               influence of a distant character on the next prediction
    python scripts/study.py recurrent_scale     gradients and Lyapunov exponent with W_hh × g

A row is stored as soon as it is measured, replacing an earlier one of the same key, so a part may be measured piece by
piece. Rows of one part share the text and the settings; for others give --anew.

The file is `{part: {"machine": …, "data_sha256": …, "settings": …, "rows": [row, …]}}`, machine that of the newest row.
Fields of the rows, key first (losses in nats per character; null: no such number):

ngram     order · ngrams: numbers kept · train_loss_nats val_stream_nats val_cold_nats · seconds · sample
sampling  model temperature top_k top_p (temperature 0: greedy; top_k 0 and top_p 1: off; all three null for the model
          "held-out text", the corpus itself) · kept_characters: how many survive the filters, mean · known_words
          distinct_4grams repetition copied: each {mean, standard_error} over texts, see charrnn.text_quality · sample
clipping  learning_rate max_grad_norm (0: no clipping) seed · steps: updates done · diverged_at: the step at which loss
          or gradient were no numbers, else null · last_loss_nats: mean of the last 50 · val_stream_nats ·
          largest_grad_norm largest_grad_norm_step · share_to_clip: of steps with a norm above 5 · largest_spike_nats
          largest_spike_step: the loss above the median of the 50 before · seconds · curve {every: steps a bin;
          loss_mean_nats loss_max_nats grad_norm_median grad_norm_max: one figure a bin}
relu      activation ("tanh" or "relu") learning_rate max_grad_norm seed · all that clipping has · curve.largest_state:
          max |h| after the last character of a window · reading {characters, largest_state}: max |h| of the trained
          network after so many characters of held-out text
no_grad   chars: written in one go · no_grad_ms without_ms: medians · times_slower times_slower_low times_slower_high:
          without / with, the median of the rounds and its 95 % interval (none for fewer than six) ·
          no_grad_bytes_per_char without_bytes_per_char: by how much the process grows, for the longest text
reach     model · positions · lags · kl_median_nats kl_mean_nats kl_standard_error: by lag, where the character so far
          back (1: the last one read) is replaced
recurrent_scale  model g: the factor of W_hh · half_life_chars half_life_low half_life_high: of the median gradient, of
          its 10th and its 90th percentile over positions (null: not within 128 lags) · horizon_chars: 1 % of the median
          · exponent exponent_error: first Lyapunov exponent, nats a character · sigma_max: largest singular value of
          W_hh × g (null if gates or layer norm also enter the Jacobian)
"""

import argparse
import json
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from charrnn import script_runner
from charrnn.checkpoint.safetensors_io import require_result_file, write_bytes
from charrnn.corpus import Corpus, read_text, tiny_shakespeare
from charrnn.flags import COUNT, SEED, THREADS, WIDTH, WINDOW, Number, name_or_path, path, script_parser
from charrnn.paths import CHECKPOINTS, STUDY
from charrnn.profiling import machine
from charrnn.ranges import Range
from charrnn.sampling import LIMITS
from charrnn.study import model_experiments, training_experiments
from charrnn.training import LIMITS as OF_TRAINING


@dataclass(frozen=True)
class Part:
    """A part of the study: its function, the key of its rows, its settings."""

    measure: Callable[[argparse.Namespace, str], Iterator[dict[str, Any]]]
    key: tuple[str, ...]
    settings: tuple[str, ...]
    help: str


RUN = ("steps", "batch", "seq_len", "hidden_dim", "every")
PARTS = {
    "ngram": Part(model_experiments.ngram, ("order",), (), "Kneser-Ney n-grams"),
    "sampling": Part(
        model_experiments.sampling,
        ("model", "temperature", "top_k", "top_p"),
        ("texts", "chars"),
        "quality of sampled text, by temperature and filter",
    ),
    "clipping": Part(
        training_experiments.clipping,
        ("learning_rate", "max_grad_norm", "seed"),
        RUN,
        "training with clipping and without",
    ),
    "relu": Part(
        training_experiments.relu,
        ("activation", "learning_rate", "max_grad_norm", "seed"),
        RUN,
        "training with tanh and ReLU",
    ),
    "no_grad": Part(
        training_experiments.no_grad, ("chars",), ("hidden_dim", "rounds"), "writing with no_grad and without"
    ),
    "reach": Part(model_experiments.reach, ("model",), ("positions", "context"), "influence of a distant character"),
    "recurrent_scale": Part(
        model_experiments.recurrent_scale,
        ("model", "g"),
        (),
        "gradients and Lyapunov exponent with W_hh × g",
    ),
}


# ------------------------------------------------------------------------------------------------ the file


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


# ------------------------------------------------------------------------------------------------ the verbs


def parser() -> argparse.ArgumentParser:
    """Return the parser of all parts."""
    whole = script_parser(__doc__)
    verbs = whole.add_subparsers(dest="part", required=True)
    flags = {name: verbs.add_parser(name, help=part.help) for name, part in PARTS.items()}
    bundled = sorted(path.parent.name for path in CHECKPOINTS.glob("*/model.safetensors"))

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
    add("reach", "--checkpoints", name_or_path, bundled, "names or folders")
    add("reach", "--positions", COUNT, 1024, "of held-out text")
    add("reach", "--context", WINDOW, 256, "characters read before each")
    add("recurrent_scale", "--checkpoints", name_or_path, ["rnn", "rnn-layernorm", "gru", "lstm"], "recurrent networks")
    for name, verb in flags.items():
        verb.add_argument("--data", type=path, help="a UTF-8 text (default: Tiny Shakespeare, downloaded once)")
        verb.add_argument("--out", type=path, default=STUDY, help="the study (default: docs/study.json)")
        verb.add_argument("--anew", action="store_true", help="drop the stored rows of the part")
        threads = 1 if name == "no_grad" else None
        verb.add_argument("--threads", type=THREADS, default=threads, help=f"CPU threads (default {threads or 'all'})")
    return whole


@script_runner.lasting_output()
def main(arguments: Sequence[str] | None = None) -> int:
    """Measure one part, row by row, and return the exit code."""
    options = parser().parse_args(arguments)
    part = PARTS[options.part]
    if options.threads:
        torch.set_num_threads(options.threads)
    try:
        text = read_text(options.data) if options.data else tiny_shakespeare()
        source = {
            "machine": machine(),
            "data_sha256": Corpus.from_text(text).sha256,
            "settings": {name: getattr(options, name) for name in part.settings},
        }
        require_result_file(options.out)  # before hours of measuring
        study = read_study(options.out)
        if not options.anew:
            require_same(options.out, options.part, study, source)
        for number, row in enumerate(part.measure(options, text)):
            store_row(options.out, options.part, source, row, anew=options.anew and number == 0)
            print(summary(row), flush=True)
    except (ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def summary(row: dict[str, Any]) -> str:
    """Format the scalar values of a row on one line."""
    means = {name: value["mean"] for name, value in row.items() if isinstance(value, dict) and "mean" in value}
    return ", ".join(
        f"{name} {value:.5g}" if isinstance(value, float) else f"{name} {value}"
        for name, value in (row | means).items()
        if not isinstance(value, (dict, list, tuple)) and name != "sample"
    )
