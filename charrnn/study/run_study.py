"""
Run the parts of the study and store their rows in docs/study.json.

    python scripts/study.py ngram               Kneser-Ney, orders 5 to 7
    python scripts/study.py sampling            text quality: top-k against top-p at the same temperatures
    python scripts/study.py clipping            the lab sheet's recipe with its clipping and without
    python scripts/study.py relu                ReLU instead of tanh
    python scripts/study.py no_grad             sampling inside `torch.no_grad()` and outside
    python scripts/study.py recurrent_scale     gradients and Lyapunov exponent with W_hh × g

A row is stored as soon as it is measured, replacing an earlier one of the same key, so a part may be measured piece by
piece. Rows of one part share the text and the settings; for others give --anew.

The file is `{part: {"machine": …, "data_sha256": …, "settings": …, "rows": [row, …]}}`, machine that of the newest row.
Fields of the rows, key first (losses in nats per character; null: no such number):

ngram     order · ngrams: numbers stored · train_loss_nats val_stream_nats val_cold_nats · seconds · sample
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
recurrent_scale  model g: the factor of W_hh · half_life_chars horizon_chars: lags at which half and 1 % of the median
          gradient are left, half_life_low half_life_high horizon_low horizon_high: their 95 % intervals by bootstrap
          over positions (null: not within 128 lags) · exponent exponent_error: first Lyapunov exponent, nats a
          character · sigma_max: largest singular value of W_hh × g (null if gates or layer norm also enter the
          Jacobian)
"""

import sys
from collections.abc import Sequence
from typing import Any

import torch

from charrnn import script_runner
from charrnn.checkpoint.safetensors_io import require_result_file
from charrnn.corpus import Corpus, read_text, tiny_shakespeare
from charrnn.profiling import machine
from charrnn.study.study_file import read_study, require_same, store_row
from charrnn.study.study_flags import study_parser
from charrnn.study.study_parts import PARTS


@script_runner.lasting_output()
def main(arguments: Sequence[str] | None = None) -> int:
    """Measure one part, row by row, and return the exit code."""
    options = study_parser(__doc__).parse_args(arguments)
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
