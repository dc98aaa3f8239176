"""The folder of a training run, named for its recipe."""

import argparse
from pathlib import Path

from charrnn.paths import CHECKPOINTS
from charrnn.training import default_recipe


def recipe_name(options: argparse.Namespace) -> str:
    """Return the requested recipe, or a name from the network's flags: `rnn-seq256`."""
    cell = options.cell or "rnn"
    defaults, suffixes = default_recipe(cell), {"layer_norm": "layernorm", "stateful": "stateful"}
    parts = [cell, *(word for name, word in suffixes.items() if getattr(options, name) and not getattr(defaults, name))]
    parts += [f"seq{options.seq_len}"] if options.seq_len not in (None, defaults.seq_len) else []
    return options.recipe or "-".join(parts)


def folder_of(options: argparse.Namespace) -> Path:
    """Return the folder that --out names, else that of the recipe."""
    return options.out or CHECKPOINTS / recipe_name(options)
