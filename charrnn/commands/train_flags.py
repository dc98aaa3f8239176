"""The flags of train.py: the parser, and the recipe that they describe."""

import argparse
import re
import sys
from dataclasses import fields, replace
from typing import Any

import torch

from charrnn import script_runner
from charrnn.flag_types import COUNT, SEED, THREADS, Number, path
from charrnn.paths import REPOSITORY
from charrnn.registry import KINDS, build_on_meta
from charrnn.training import LIMITS, RECIPES, Recipe, default_recipe

HYPERPARAMETERS = {
    "cell": "the network: `rnn`, `gru`, `lstm` or `minigpt`",
    "hidden_dim": "units of the hidden state",
    "layer_norm": "layer norm inside the cell",
    "stateful": "carry the state from window to window, reset it at the epoch boundary",
    "steps": "updates",
    "batch": "windows in a minibatch",
    "seq_len": "characters in a window, the limit of the gradient; MiniGPT's context",
    "learning_rate": "the peak of the schedule",
    "warmup_steps": "steps until the peak; 0: none",
    "final_rate": "learning rate at the end as a share of the peak; 1: constant",
    "beta2": "AdamW's second decay",
    "weight_decay": "AdamW's weight decay of the matrices",
    "dropout": "dropout rate after the cell, or in each layer of MiniGPT",
    "input_dropout": "dropout rate before the cell",
    "recurrent_dropout": "dropout rate of W_hh",
    "max_grad_norm": "clip the gradient to this norm; 0: do not clip",
    "initialisation": "`default`, `orthogonal` or `chrono`",
    "val_chars": "characters of the validation text to read at each evaluation; the final losses are of all",
    "keep_steps": "save weights during training, for the page's step selector",
}
NOT_BUNDLED = "would train other networks than the bundled ones: name a folder with --out"


def parse(argv: list[str] | None, description: str | None = None) -> argparse.Namespace:
    """Parse the flags and check that they go together."""
    parser = script_runner.script_parser(description)
    run = parser.add_argument_group("the run")
    run.add_argument("--data", type=path, help="a UTF-8 text (default: Tiny Shakespeare, downloaded once)")
    run.add_argument("--out", type=path, help="the checkpoint folder (default: checkpoints/NAME of the recipe)")
    run.add_argument("--all", action="store_true", help="every recipe whose checkpoint in --out/NAME is not done")
    run.add_argument("--seed", type=SEED, help="decides first weights, windows and dropout (default: 0)")
    run.add_argument("--recipe", choices=RECIPES, help="the defaults of what follows (default: that of the network)")
    run.add_argument("--save-every", type=COUNT, default=500, metavar="STEPS", help="default: 500")
    run.add_argument("--resume", action="store_true", help="continue the unfinished run in --out")
    run.add_argument("--threads", type=THREADS, help="CPU threads (default: all cores, or those of the run to resume)")
    run.add_argument("--device", default="cpu", help="cpu (default), or cuda if available")
    run.add_argument("--push-to-hub", metavar="OWNER/NAME", help="upload the finished checkpoint in one commit")
    run.add_argument("--private", action="store_true", help="with --push-to-hub: make a new repository private")
    recipe = parser.add_argument_group("the recipe")
    for field in fields(Recipe):
        flag = f"--{field.name.replace('_', '-')}"
        flag_options: dict[str, Any] = {"type": Number(LIMITS[field.name]) if field.name in LIMITS else str}
        if isinstance(field.default, bool):
            flag_options = {"action": argparse.BooleanOptionalAction}
        elif field.name == "cell":
            flag_options = {"choices": KINDS}
        help = f"{HYPERPARAMETERS[field.name]} (rnn: {getattr(RECIPES['rnn'], field.name)})"
        recipe.add_argument(flag, default=None, help=help, **flag_options)
    options = parser.parse_args(argv)
    if options.device != "cpu" and not (options.device == "cuda" and torch.cuda.is_available()):
        parser.error(
            f"--device is {options.device}: this machine has {'cpu, cuda' if torch.cuda.is_available() else 'cpu'}"
        )
    if options.all and (options.recipe or options.cell or options.resume or options.push_to_hub):
        parser.error(
            "--all trains every recipe and continues unfinished runs: leave --recipe, --cell, --resume and "
            "--push-to-hub out"
        )
    if options.all and given_settings(options) and not options.out:
        flag = next(iter(given_settings(options))).replace("_", "-")
        parser.error(f"--all with --{flag} {NOT_BUNDLED}")
    if options.all and options.seed and not options.out:
        parser.error(f"--all with --seed {options.seed} {NOT_BUNDLED}")
    if options.private and not options.push_to_hub:
        parser.error("--private goes with --push-to-hub: give both, or neither")
    if options.push_to_hub is not None:
        from charrnn import hub  # the Hub's client is not needed to train

        try:
            hub.require_repository(options.push_to_hub)
        except hub.HubError as error:
            parser.error(f"--push-to-hub: {error}")
    if options.recipe and options.cell not in (None, RECIPES[options.recipe].cell):
        parser.error(f"--recipe {options.recipe} is of another network than --cell {options.cell}: leave one out")
    words = sys.argv[1:] if argv is None else argv
    resume = [] if options.resume or options.all else ["--resume"]
    options.resume_command = script_runner.shell_command(REPOSITORY / "scripts/train.py", *words, *resume)
    return options


def given_settings(options: argparse.Namespace) -> dict[str, Any]:
    """Return the recipe settings that the flags name."""
    chosen = {field.name: getattr(options, field.name) for field in fields(Recipe)}
    return {name: value for name, value in chosen.items() if value is not None}


def recipe_from_flags(options: argparse.Namespace, name: str) -> Recipe:
    """Return the recipe of a name or cell, changed by the flags. Raises ValueError."""
    try:
        recipe = replace(RECIPES.get(name, default_recipe(options.cell or "rnn")), **given_settings(options))
        build_on_meta(recipe.config, 1)  # its sizes go together
    except ValueError as error:
        raise ValueError(with_flag_names(str(error))) from None
    return recipe


def with_flag_names(reason: str) -> str:
    """Replace the names of recipe settings by their flags in a message."""
    long, short = (
        "|".join(name for name in HYPERPARAMETERS if ("_" in name) is has_underscore)
        for has_underscore in (True, False)
    )
    reason = re.sub(rf"\b({long})\b", lambda found: f"--{found[0].replace('_', '-')}", reason)
    return re.sub(rf"^({short})\b(?= is )", r"--\1", reason)
