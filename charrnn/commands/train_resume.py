"""Resume rules of train.py: the requested run, and advice on unfinished ones."""

import argparse
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from charrnn import checkpoint
from charrnn.checkpoint import RunIdentity, Target
from charrnn.commands.train_flags import given_settings, recipe_from_flags
from charrnn.commands.train_text import read_corpus
from charrnn.corpus import Corpus
from charrnn.training import RECIPES, Recipe


def requested_identity(options: argparse.Namespace, name: str, target: Target, corpus: Corpus | None) -> RunIdentity:
    """
    Return the recipe, seed and text that the flags and the folder specify.

    corpus: None for the text of the folder. Raises ValueError for an invalid recipe.
    """
    stored = target.identity(asdict(Recipe())) if options.resume else None
    recipe: Mapping[str, Any]
    if stored is None:
        recipe, seed = asdict(recipe_from_flags(options, name)), options.seed or 0
    else:
        recipe = {
            **stored.recipe,
            **(asdict(RECIPES[options.recipe]) if options.recipe else {}),
            **given_settings(options),
        }
        seed = stored.seed if options.seed is None else options.seed
    return RunIdentity(recipe, seed, corpus.sha256 if corpus else stored.data_sha256 if stored else "")


def require_no_unfinished_run(target: Target) -> None:
    """Raise ValueError with advice if the folder holds an unfinished or active run."""
    if target.run is not None:
        run = target.folder / checkpoint.RUN
        with checkpoint.folder_lock(target.folder):
            raise ValueError(f"{target.folder} holds an unfinished run: go on with --resume, or remove {run}")


def require_finished(options: argparse.Namespace, name: str, target: Target) -> checkpoint.CheckpointInfo:
    """
    Return the finished network that --resume found instead of an unfinished run.

    Raises ValueError if it has another recipe, seed or text.
    """
    done, out = target.finished, target.folder
    if not done:
        raise ValueError(f"{out} holds no unfinished run ({checkpoint.RUN}): start one without --resume")
    identity = requested_identity(options, name, target, read_corpus(options.data) if options.data else None)
    existing = target.identity(identity.recipe)
    if existing and (differences := existing.differences(identity)):
        mismatch = f"the network in {out} is finished and has {', '.join(differences)}"
        raise ValueError(f"{mismatch}: start another without --resume")
    return done


def after_divergence(out: Path, recipe: Recipe) -> str:
    """Describe what a diverged run leaves in its folder, and what to try."""
    less = (
        "--learning-rate or --max-grad-norm" if recipe.max_grad_norm else "--learning-rate, or clip: --max-grad-norm 5"
    )
    info = readable_checkpoint(out)
    if info is None:
        return f"nothing was saved; try a smaller {less}"
    if info.finished:
        remains = f"{out} still has the finished network of an earlier run"
    else:
        remains = f"the last good checkpoint is {out}, step {info.step}"
    return f"{remains}; to try again, remove {out / checkpoint.RUN} and start with a smaller {less}"


def readable_checkpoint(out: Path) -> checkpoint.CheckpointInfo | None:
    """Describe the checkpoint in a folder; None if there is none or it is invalid."""
    try:
        return checkpoint.describe(out)
    except checkpoint.CheckpointError:
        return None
