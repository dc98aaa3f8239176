"""
Train a checkpoint.

    python scripts/train.py                                      refresh the bundled checkpoint, checkpoints/rnn
    python scripts/train.py --recipe lab --out checkpoints/lab   the lab sheet's own recipe
    python scripts/train.py --data my.txt --out checkpoints/my   any UTF-8 text
    python scripts/train.py --out checkpoints/my --resume        go on with a run that was stopped

Ctrl-C finishes the step and saves. Exit codes: 0 done, 1 diverged or not pushed, 2 bad input, 130 and 143 stopped.
"""

import argparse
import signal
import sys
from dataclasses import asdict, fields, replace
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY))

import torch
from tqdm import tqdm

from charrnn import checkpoint
from charrnn.corpus import Corpus, cache_path, cached_tiny_shakespeare, read_text, tiny_shakespeare
from charrnn.sampling import Dice, SamplingSettings, generate
from charrnn.training import RECIPES, DivergedError, Recipe, Training

HYPERPARAMETERS = {
    "steps": "updates",
    "batch": "windows in a minibatch",
    "seq_len": "characters in a window: as far as the gradient can flow",
    "hidden_dim": "units of the hidden state",
    "learning_rate": "the peak of the schedule",
    "warmup_steps": "steps until the peak; 0: none",
    "final_rate": "learning rate at the end as a share of the peak; 1: constant",
    "beta2": "AdamW's second decay",
    "weight_decay": "AdamW's weight decay",
    "max_grad_norm": "clip the gradient to this norm; 0: do not clip",
    "initialisation": "`default` or `orthogonal`",
}
PROMPT = "ROMEO:"
SAMPLE_CHARS, PASSAGE_CHARS, SAMPLE_SEED = 400, 6000, 7


def parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    run = parser.add_argument_group("the run")
    run.add_argument("--data", type=Path, help="a UTF-8 text (default: Tiny Shakespeare, downloaded once)")
    run.add_argument("--out", type=Path, default=REPOSITORY / "checkpoints" / "rnn", help="the checkpoint folder")
    run.add_argument("--seed", type=int, default=0, help="decides the first weights and the windows (default: 0)")
    run.add_argument("--recipe", choices=RECIPES, default="tuned", help="the defaults of what follows")
    run.add_argument("--save-every", type=int, default=500, metavar="STEPS", help="default: 500")
    run.add_argument("--resume", action="store_true", help="go on with the unfinished run in --out")
    run.add_argument("--threads", type=int, help="CPU threads (default: all cores)")
    run.add_argument("--push-to-hub", metavar="OWNER/NAME", help="upload the finished checkpoint in one commit")
    recipe = parser.add_argument_group("the recipe")
    for field in fields(Recipe):
        defaults = ", ".join(f"{name} {getattr(RECIPES[name], field.name)}" for name in RECIPES)
        help = f"{HYPERPARAMETERS[field.name]} ({defaults})"
        recipe.add_argument(f"--{field.name.replace('_', '-')}", type=type(field.default), help=help)
    options = parser.parse_args(argv)
    if options.save_every < 1:
        parser.error(f"--save-every is {options.save_every}: give 1 or more")
    if options.threads is not None and options.threads < 1:
        parser.error(f"--threads is {options.threads}: give 1 or more")
    return options


def read_corpus(data: Path | None) -> Corpus:
    if data is not None:
        return Corpus.from_text(read_text(data))
    if cached_tiny_shakespeare() is None:
        print(f"downloading Tiny Shakespeare to {cache_path()}")
    with tqdm(unit="B", unit_scale=True, disable=None, leave=False) as bar:

        def follow(done: int, total: int | None) -> None:
            bar.total = total
            bar.update(done - bar.n)

        return Corpus.from_text(tiny_shakespeare(follow))


def start(options: argparse.Namespace, corpus: Corpus) -> Training:
    """A new run, or the unfinished one in --out. Raises ValueError where the flags do not fit what is there."""
    chosen = {field.name: getattr(options, field.name) for field in fields(Recipe)}
    given = {name: value for name, value in chosen.items() if value is not None}
    if options.resume:
        training = Training.resume(corpus, *checkpoint.load_run(options.out))
        for name, value in given.items():
            if value != getattr(training.recipe, name):
                raise ValueError(f"the run in {options.out} has {name} {getattr(training.recipe, name)}, not {value}")
        return training
    if checkpoint.holds_run(options.out):
        raise ValueError(
            f"{options.out} holds an unfinished run: go on with --resume, or remove {options.out / checkpoint.RUN}"
        )
    return Training(corpus, replace(RECIPES[options.recipe], **given), options.seed)


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
    if not training.finished:
        checkpoint.save_run(out, *training.state())
        if holds_finished(out):
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
        passage=write_text(training, PASSAGE_CHARS),
    )
    if training.finished:
        checkpoint.remove_run(out)


def holds_finished(out: Path) -> bool:
    try:
        info = checkpoint.describe(out)
    except checkpoint.CheckpointError:
        return False
    return info.step >= info.recipe["steps"]


def train(training: Training, out: Path, save_every: int) -> signal.Signals | None:
    """Run to the end, or until a signal asks to stop; either way what was learnt is saved."""
    asked: list[signal.Signals] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, frame: asked.append(signal.Signals(number)))
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
    return asked[0] if asked and not training.finished else None


def main(argv: list[str] | None = None) -> int:
    options = parse(argv)
    if options.threads:
        torch.set_num_threads(options.threads)
    try:
        training = start(options, read_corpus(options.data))
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    try:
        stopped = train(training, options.out, options.save_every)
    except DivergedError as error:
        last_good = f"the last good checkpoint is {options.out} (see --resume)"
        print(f"{error}; {last_good}; try a smaller --learning-rate or --max-grad-norm", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"cannot write {options.out}: {error.strerror}", file=sys.stderr)
        return 2
    if stopped:
        print(f"stopped at step {training.step}: go on with --resume", file=sys.stderr)
        return 128 + stopped
    print(f"----- T=0.8 -----\n{write_text(training, SAMPLE_CHARS)}\n-----\n{training.step} steps -> {options.out}")
    return push(options.out, options.push_to_hub) if options.push_to_hub else 0


def push(folder: Path, repository: str) -> int:
    from charrnn import hub  # the Hub's client is not needed to train

    try:
        print(hub.push(folder, repository).url)
    except hub.HubError as error:
        again = hub.retry_line(folder, repository)
        print(f"{error}\nthe checkpoint is safe in {folder}; try again with:\n{again}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
