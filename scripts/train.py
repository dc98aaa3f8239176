"""
Train a checkpoint.

    python scripts/train.py                                      refresh checkpoints/rnn
    python scripts/train.py --cell lstm --layer-norm             refresh checkpoints/lstm-layernorm
    python scripts/train.py --recipe rnn-lab                     the lab sheet's own recipe, checkpoints/rnn-lab
    python scripts/train.py --all                                every bundled checkpoint that is not done yet
    python scripts/train.py --data my.txt --out checkpoints/my   any UTF-8 text
    python scripts/train.py --out checkpoints/my --resume        go on with a run that was stopped
    torchrun --nproc-per-node 8 scripts/train.py --all           the same, eight at a time; on many machines too

Ctrl-C finishes the step and saves. Exit codes: 0 done, 1 diverged or not pushed, 2 bad input, 130 and 143 stopped.
"""

import argparse
import signal
import sys
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY))

from charrnn import command

command.begin(__name__)

import torch
from tqdm import tqdm

from charrnn import checkpoint
from charrnn.corpus import Corpus, cache_path, cached_tiny_shakespeare, read_text, tiny_shakespeare
from charrnn.networks import KINDS
from charrnn.sampling import Dice, SamplingSettings, generate
from charrnn.training import LIMITS, RECIPES, Crew, DivergedError, Recipe, Training, is_shared
from scripts.flags import COUNT, SEED, THREADS, Number

HYPERPARAMETERS = {
    "cell": "the network: `rnn`, `gru`, `lstm` or `minigpt`",
    "hidden_dim": "units of the hidden state",
    "layer_norm": "layer norm inside the cell",
    "stateful": "carry the state from window to window, reset it at the epoch boundary",
    "steps": "updates",
    "batch": "windows in a minibatch",
    "seq_len": "characters in a window: as far as the gradient can flow, MiniGPT's context",
    "learning_rate": "the peak of the schedule",
    "warmup_steps": "steps until the peak; 0: none",
    "final_rate": "learning rate at the end as a share of the peak; 1: constant",
    "beta2": "AdamW's second decay",
    "weight_decay": "AdamW's weight decay of the matrices",
    "dropout": "share of what leaves the cell, or each layer of MiniGPT, that is left out",
    "input_dropout": "share of what enters the cell that is left out",
    "recurrent_dropout": "share of W_hh that is left out",
    "max_grad_norm": "clip the gradient to this norm; 0: do not clip",
    "initialisation": "`default`, `orthogonal` or `chrono`",
    "keep_steps": "keep the weights along the way, for the time machine",
}
CHECKPOINTS = REPOSITORY / "checkpoints"
PROMPT = "ROMEO:"
SAMPLE_CHARS, PASSAGE_CHARS, SAMPLE_SEED = 400, 6000, 7


def parse(argv: list[str] | None) -> argparse.Namespace:
    """The flags, each within its limits."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    run = parser.add_argument_group("the run")
    run.add_argument("--data", type=Path, help="a UTF-8 text (default: Tiny Shakespeare, downloaded once)")
    run.add_argument("--out", type=Path, help="the checkpoint folder (default: checkpoints/NAME of the recipe)")
    run.add_argument("--all", action="store_true", help="every recipe whose checkpoint in --out/NAME is not done")
    run.add_argument("--seed", type=SEED, help="decides first weights, windows and dropout (default: 0)")
    run.add_argument("--recipe", choices=RECIPES, help="the defaults of what follows (default: that of the network)")
    run.add_argument("--save-every", type=COUNT, default=500, metavar="STEPS", help="default: 500")
    run.add_argument("--resume", action="store_true", help="go on with the unfinished run in --out")
    run.add_argument("--threads", type=THREADS, help="CPU threads (default: all cores, or those of the run to resume)")
    run.add_argument("--device", default="cpu", help="cpu (default), or cuda where there is one")
    run.add_argument("--push-to-hub", metavar="OWNER/NAME", help="upload the finished checkpoint in one commit")
    run.add_argument("--private", action="store_true", help="with --push-to-hub: make a new repository private")
    recipe = parser.add_argument_group("the recipe")
    for field in fields(Recipe):
        flag = f"--{field.name.replace('_', '-')}"
        kind: dict[str, Any] = {"type": Number(LIMITS[field.name]) if field.name in LIMITS else str}
        if isinstance(field.default, bool):
            kind = {"action": argparse.BooleanOptionalAction}
        elif field.name == "cell":
            kind = {"choices": KINDS}
        help = f"{HYPERPARAMETERS[field.name]} (rnn: {getattr(RECIPES['rnn'], field.name)})"
        recipe.add_argument(flag, default=None, help=help, **kind)
    options = parser.parse_args(argv)
    if options.device != "cpu" and not (options.device == "cuda" and torch.cuda.is_available()):
        parser.error(
            f"--device is {options.device}: this machine has {'cpu, cuda' if torch.cuda.is_available() else 'cpu'}"
        )
    if options.all and (options.recipe or options.cell or options.resume or options.push_to_hub):
        parser.error(
            "--all takes every recipe and goes on with unfinished runs: leave --recipe, --cell, --resume and "
            "--push-to-hub out"
        )
    if options.all and given(options) and not options.out:
        flag = next(iter(given(options))).replace("_", "-")
        parser.error(f"--all with --{flag} would train other networks than the bundled ones: name a folder with --out")
    if options.push_to_hub is not None:
        from charrnn import hub  # the Hub's client is not needed to train

        try:
            hub.require_repository(options.push_to_hub)
        except hub.HubError as error:
            parser.error(f"--push-to-hub: {error}")
    if options.recipe and options.cell not in (None, RECIPES[options.recipe].cell):
        parser.error(f"--recipe {options.recipe} is of another network than --cell {options.cell}: leave one out")
    return options


def given(options: argparse.Namespace) -> dict[str, Any]:
    """What the flags say of the recipe."""
    chosen = {field.name: getattr(options, field.name) for field in fields(Recipe)}
    return {name: value for name, value in chosen.items() if value is not None}


def recipe_name(options: argparse.Namespace) -> str:
    """The recipe asked for, or the name its network would have: `lstm-layernorm`, `rnn-seq256`."""
    cell = options.cell or "rnn"
    usual, named = RECIPES[cell], {"layer_norm": "layernorm", "stateful": "stateful"}
    parts = [cell, *(word for name, word in named.items() if getattr(options, name) and not getattr(usual, name))]
    parts += [f"seq{options.seq_len}"] if options.seq_len not in (None, usual.seq_len) else []
    return options.recipe or "-".join(parts)


def read_corpus(data: Path | None) -> Corpus:
    """The text in the file, or Tiny Shakespeare, downloaded with a bar where that is due. Raises ValueError."""
    if data is not None:
        return Corpus.from_text(read_text(data))
    if cached_tiny_shakespeare() is None:
        print(f"downloading Tiny Shakespeare to {cache_path()}")
    with tqdm(unit="B", unit_scale=True, disable=None, leave=False) as bar:

        def follow(done: int, total: int | None) -> None:
            bar.total = total
            bar.update(done - bar.n)

        return Corpus.from_text(tiny_shakespeare(follow))


def start(options: argparse.Namespace, name: str, out: Path, corpus: Corpus) -> Training:
    """A new run, or the unfinished one in `out`. Raises ValueError where the flags do not fit what is there."""
    if options.resume:
        tensors, run = checkpoint.load_run(out)
        training = Training.resume(corpus, tensors, run, options.device)
        wanted = asdict(RECIPES[options.recipe]) | given(options) if options.recipe else given(options)
        has = asdict(training.recipe) | {"seed": training.seed}
        for key, value in (wanted | ({} if options.seed is None else {"seed": options.seed})).items():
            if value != has[key]:
                raise ValueError(
                    f"the run in {out} has {key} {has[key]}, not {value}: go on with that, or remove "
                    f"{out / checkpoint.RUN} to start anew"
                )
        torch.set_num_threads(options.threads or run.get("threads") or torch.get_num_threads())
        return training
    if checkpoint.holds_run(out):
        raise ValueError(f"{out} holds an unfinished run: go on with --resume, or remove {out / checkpoint.RUN}")
    return Training(corpus, planned(options, name), options.seed or 0, options.device)


def planned(options: argparse.Namespace, name: str) -> Recipe:
    """The recipe of this name, or else of its cell, with what the flags change. Raises ValueError."""
    return replace(RECIPES.get(name, RECIPES[options.cell or "rnn"]), **given(options))


def write_text(training: Training, chars: int) -> str:
    """A text at T = 0.8, always with the same dice: the prompt of the lab sheet where the vocabulary has it."""
    vocab = training.corpus.vocab
    prompt = vocab.drop_unknown(PROMPT)[0] or vocab.characters[0]
    decoder = training.model.decoder()
    settings = SamplingSettings(temperature=0.8)
    steps = generate(decoder, decoder.prefill(vocab.encode(prompt)), chars, settings, Dice(SAMPLE_SEED))
    return prompt + vocab.decode(step.id for step in steps)


def save(out: Path, training: Training) -> None:
    """The run first, so that nothing is lost; the checkpoint where that replaces no finished one by an unfinished."""
    training.require_finite()
    if training.finished:
        training.round_to_half()
    else:
        tensors, run = training.state()
        checkpoint.save_run(out, tensors, run | {"threads": torch.get_num_threads()})
        if finished(out):
            return
    checkpoint.save(
        out,
        training.model,
        training.corpus.vocab,
        step=training.step,
        seed=training.seed,
        recipe=asdict(training.recipe),
        data_sha256=training.corpus.sha256,
        metrics=training.metrics() | {"sample": write_text(training, SAMPLE_CHARS)},
        history=training.history,
        saved=training.saved,
        passage=write_text(training, PASSAGE_CHARS) if training.finished else "",
    )
    if training.finished:
        checkpoint.remove_run(out)


def finished(out: Path) -> checkpoint.CheckpointInfo | None:
    """The checkpoint in the folder, where its training came to its end."""
    try:
        info = checkpoint.describe(out)
    except checkpoint.CheckpointError:
        return None
    return info if info.step >= info.recipe.get("steps", 0) else None


def is_of(done: checkpoint.CheckpointInfo, recipe: Recipe, seed: int | None, corpus: Corpus) -> bool:
    """Whether a checkpoint is what this recipe, seed and text come to."""
    has = (asdict(Recipe()) | done.recipe, done.seed, done.data_sha256)
    return has == (asdict(recipe), seed or 0, corpus.sha256)


def train(training: Training, out: Path, save_every: int) -> signal.Signals | None:
    """Run to the end, or until a signal asks to stop; either way what was learnt is saved."""
    asked: list[signal.Signals] = []
    before = {
        number: signal.signal(number, lambda number, frame: asked.append(signal.Signals(number)))
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        with tqdm(total=training.recipe.steps, initial=training.step, unit="step", disable=None) as bar:
            while True:
                if training.measure_due:
                    tqdm.write(training.measure().line(), file=sys.stdout)
                    sys.stdout.flush()
                if training.finished or asked:
                    break
                if training.step % save_every == 0:
                    save(out, training)
                training.advance()
                bar.update()
        save(out, training)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return asked[0] if asked and not training.finished else None


def main(argv: list[str] | None = None) -> int:
    """Train as the command line says; the exit code."""
    options = parse(argv)
    if options.threads or is_shared():  # as many as there are processes would only wait for each other
        torch.set_num_threads(options.threads or 1)
    try:
        return train_as_asked(options)
    except KeyboardInterrupt:  # before the first update, or between two runs
        return 128 + signal.SIGINT


def train_as_asked(options: argparse.Namespace) -> int:
    """One run or all of them; the exit code."""
    try:
        corpus = read_corpus(options.data)
        recipes = {name: planned(options, name) for name in RECIPES if options.all}
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    if options.all:
        return train_all(options, recipes, corpus)
    name = recipe_name(options)
    out = options.out or CHECKPOINTS / name
    done = None if options.out or options.resume else finished(out)
    if done and not is_of(done, planned(options, name), options.seed, corpus):
        print(
            f"{out} holds a finished network of another recipe, seed or text, which this run would replace: name a "
            f"folder of its own with --out, or this one to replace it",
            file=sys.stderr,
        )
        return 2
    return train_one(options, name, out, corpus)


def train_all(options: argparse.Namespace, recipes: dict[str, Recipe], corpus: Corpus) -> int:
    """
    Every recipe whose checkpoint is not done, the unfinished ones from where they stopped; the exit code.

    Under torchrun each process takes the next that nobody has taken; what comes out is the same however many they are.
    """
    crew, root = Crew(), options.out or CHECKPOINTS
    for name in crew.share(recipes):
        own = argparse.Namespace(**vars(options) | {"recipe": name, "out": root / name})
        if code := train_unless_done(own, name, corpus):
            return code
    crew.wait()
    if crew.rank == 0 and is_shared():
        say("\n".join(table_row(checkpoint.load(root / name)) for name in recipes))
    return 0


def train_unless_done(options: argparse.Namespace, name: str, corpus: Corpus) -> int:
    """The run of `options.recipe` in `options.out`, to its end, from where it stopped; the exit code."""
    out, recipe = options.out, planned(options, options.recipe)
    done, goes_on = finished(out), checkpoint.holds_run(out)
    if done and is_of(done, recipe, options.seed, corpus):
        say(f"{name}: done, {done.step} steps, val {done.metrics['val_stream_nats']:.4f}")
        return 0
    say(f"{name}: {'goes on' if goes_on else 'starts'}")
    own = argparse.Namespace(**vars(options) | {"resume": goes_on})
    return train_one(own, options.recipe, out, corpus)


def say(lines: str) -> None:
    """Print in one piece: several processes may share the terminal."""
    print(f"{lines}\n", end="", flush=True)


def table_row(done: checkpoint.Checkpoint) -> str:
    """What a run came to: its losses, and the digest of its weights."""
    figures = [done.info.metrics[key] for key in ("train_loss_nats", "val_stream_nats", "val_cold_nats")]
    losses = "  ".join(f"{figure:.6f}" for figure in figures)
    return f"{done.info.name:20}  {done.step:>6}  {losses}  {checkpoint.digest(done.model.state_dict())[:16]}"


def train_one(options: argparse.Namespace, name: str, out: Path, corpus: Corpus) -> int:
    """One run to its end or to a signal; the exit code."""
    try:
        training = start(options, name, out, corpus)
    except (ValueError, DivergedError) as error:
        print(error, file=sys.stderr)
        return 2
    try:
        with checkpoint.held(out):
            stopped = train(training, out, options.save_every)
    except DivergedError as error:
        print(f"{error}; {last_good(out)}", file=sys.stderr)
        return 1
    except (OSError, checkpoint.CheckpointError) as error:
        print(f"cannot write {out}: {error}", file=sys.stderr)
        return 2
    if stopped:
        print(f"stopped at step {training.step}: go on with --resume", file=sys.stderr)
        return 128 + stopped
    say(f"----- T=0.8 -----\n{write_text(training, SAMPLE_CHARS)}\n-----\n{training.step} steps -> {out}")
    return push(out, options.push_to_hub, options.private) if options.push_to_hub else 0


def last_good(out: Path) -> str:
    """After a run diverged: what there is, and how to go on."""
    info = checkpoint.describe(out)
    return (
        f"the last good checkpoint is {out}, step {info.step}; to try again, remove {out / checkpoint.RUN} "
        "and start with a smaller --learning-rate or --max-grad-norm"
    )


def push(folder: Path, repository: str, private: bool) -> int:
    """Upload the checkpoint, or say how to try again; the exit code."""
    from charrnn import hub  # the Hub's client is not needed to train

    try:
        pushed = hub.push(folder, repository, private=private, say=lambda line: print(line, file=sys.stderr))
        print(f"{pushed.url} at commit {pushed.commit}, tag {pushed.tag}")
        return 0
    except (hub.HubError, checkpoint.CheckpointError) as error:
        reason, code = str(error), 1
    except KeyboardInterrupt:
        reason, code = "stopped", 128 + signal.SIGINT
    again = hub.retry_line(REPOSITORY / "scripts/publish.py", folder, repository, private=private)
    print(f"{reason}\nthe checkpoint is safe in {folder}; try again with:\n{again}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(command.run(main))
