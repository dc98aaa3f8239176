"""Model cards: description, results with protocol, and limitations."""

import shlex
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, fields

from huggingface_hub import EvalResult, ModelCardData

from charrnn import __version__
from charrnn.analysis_record import RecordError
from charrnn.checkpoint import CheckpointInfo, load
from charrnn.context_use import describe_length, memory_from_record
from charrnn.corpus import TINY_SHAKESPEARE_SHA256, title_of
from charrnn.gradient_flow import flow_from_record
from charrnn.metrics import Metrics, bits_per_char, perplexity
from charrnn.sampling import SamplingSettings, UniformStream, generate
from charrnn.seeds import STREAMS
from charrnn.text_tables import quoted
from charrnn.training import RECIPES, Recipe

CARD = "README.md"
PROMPT, SAMPLE_CHARS, TEMPERATURE, SEED = "ROMEO:", 400, 0.8, 7
CURVE_POINTS = 6  # of the training curve, evenly spaced

# The two validation figures of a checkpoint: name, key of its metrics, protocol.
VALIDATIONS = (
    ("stream", "val_stream_nats", "64 contiguous streams, the state or context carried from start to end"),
    ("cold", "val_cold_nats", "windows of 256 characters, each from the initial state"),
)

# Name of a network on its card, and its memory of the text.
NETWORKS = {
    "rnn": ("vanilla recurrent network", "one vector of {hidden_dim} numbers"),
    "gru": ("gated recurrent unit (GRU)", "one vector of {hidden_dim} numbers"),
    "lstm": ("long short-term memory (LSTM)", "two vectors of {hidden_dim} numbers"),
    "minigpt": ("Transformer", "the keys and values of the last {context} characters in each of {layers} layers"),
}


def checkpoint_card(info: CheckpointInfo, repo_id: str, below: str = "") -> str:
    """
    Return the card of a checkpoint at the repository's root or in `below`.

    The sample is generated now. Raises CheckpointError if the checkpoint was deleted.
    """
    rows = [
        ("training minibatches", "train_loss_nats"),
        *((f"validation, `{name}`", key) for name, key, _ in VALIDATIONS),
    ]
    figures = "\n".join(f"| {name} | {_figures(info.metrics.get(key))} |" for name, key in rows)
    protocols = "\n".join(f"- `{name}`: {protocol}." for name, _, protocol in VALIDATIONS)
    network, memory = NETWORKS[info.cell]
    form = ", ".join(f"{name} {value}" for name, value in info.config.items())
    versions = ", ".join(f"{name} {version}" for name, version in info.versions.items()) or "not recorded"
    prompt, text = sample(info)
    minutes = info.metrics.get("minutes")
    download = f'--include "{below}/*" --local-dir checkpoints' if below else f"--local-dir checkpoints/{info.name}"
    given = f" --prompt {shlex.quote(prompt)}" if prompt.isprintable() else ""  # else the script's default
    again = f"--checkpoint {shlex.quote(info.name)}{given} --chars {SAMPLE_CHARS}"
    head = "" if below else f"{_front_matter([info])}\n"
    return f"""{head}# {info.name}

A character-level language model: a {network} of {info.parameters:,} parameters and a vocabulary of {len(info.vocab)}
characters, published with charrnn {__version__}.

| loss on | nats per character | bits per character | perplexity |
|---|---|---|---|
{figures}

The first 90 % of the text are for training, the last 10 % for validation.

{protocols}

{_curve(info.history)}| | |
|---|---|
| architecture | {form} |
| text | {title_of(info.data_sha256)} |
| sha256 of the text | `{info.data_sha256}` |
| step, seed | {info.step}, {info.seed} |
| recipe | {", ".join(f"{name} {value}" for name, value in info.recipe.items())} |
| minutes of training | {"not recorded" if minutes is None else f"{minutes:.1f}"} |
| versions it was trained with | {versions} |
| sha256 of model.safetensors | `{info.sha256}` |
{_reach(info)}
{_command(info)}## What it writes

{quoted(text)}

Reproduce this text:

```bash
hf download {repo_id} {download}
python scripts/sample.py {again} --temperature {TEMPERATURE} --seed {SEED}
```

`model.safetensors` holds weights, configuration and vocabulary; opening it runs no code. `graph.json` is one decode
step as a list of operations on named tensors, to run the network without Python.

## Limits

It reproduces the spelling and layout of its text; words are often invented, and sentences have no meaning. Its
vocabulary is the {len(info.vocab)} characters of its text; its memory of the preceding text is
{memory.format(**info.config)}. It is made for teaching.

{LICENCE}"""


def collection_card(infos: Sequence[CheckpointInfo], repo_id: str) -> str:
    """Return the card of a repository with several checkpoints."""
    rows = "\n".join(
        f"| [{info.name}]({info.name}/README.md) | {info.cell} | {info.parameters:,} | {_short(info)} |"
        for info in infos
    )
    protocols = "\n".join(f"- `{name}`: {protocol}." for name, _, protocol in VALIDATIONS)
    return f"""{_front_matter(infos)}
# {repo_id.rpartition("/")[2]}

{len(infos)} character-level language models, published with charrnn {__version__}; each folder has a card of its own.

| checkpoint | network | parameters | val `stream`, nats | bits | val `cold`, nats |
|---|---|---|---|---|---|
{rows}

The first 90 % of the text are for training, the last 10 % for validation.

{protocols}

## Use

```bash
python app.py --checkpoints {repo_id}
```

Files of weights are safetensors; opening them runs no code.

## Limits

They reproduce the spelling and layout of their text; sentences have no meaning. They are made for teaching.

{LICENCE}"""


LICENCE = """## Licence

MIT for the weights and the code; the text has its own.
"""


def sample(info: CheckpointInfo) -> tuple[str, str]:
    """Return a prompt and its continuation with seed SEED."""
    loaded = load(info.folder)
    vocab, decoder = loaded.vocab, loaded.model.decoder()
    prompt = vocab.default_prompt(PROMPT)
    settings = SamplingSettings(temperature=TEMPERATURE)
    steps = generate(decoder, decoder.prefill(vocab.encode(prompt)), SAMPLE_CHARS, settings, UniformStream(SEED))
    return prompt, prompt + vocab.decode(step.id for step in steps)


def training_command(info: CheckpointInfo) -> str | None:
    """Return the command that trains this checkpoint; None for an unknown recipe."""
    try:
        recipe = Recipe(**info.recipe)
    except (TypeError, ValueError):
        return None
    name = info.saved_as if RECIPES.get(info.saved_as, Recipe()).cell == recipe.cell else recipe.cell
    name = name if name in RECIPES else recipe.cell
    defaults, words = asdict(RECIPES[name]), ["--recipe", name]
    for field in fields(Recipe):
        value, flag = getattr(recipe, field.name), field.name.replace("_", "-")
        if value != defaults[field.name]:
            words += [f"--{flag}" if value else f"--no-{flag}"] if type(value) is bool else [f"--{flag}", str(value)]
    words += ["--seed", str(info.seed % STREAMS)]  # earlier versions took larger seeds and drew with this remainder
    if info.data_sha256 != TINY_SHAKESPEARE_SHA256:
        words += ["--data", "input.txt", "--out", f"checkpoints/{info.name}"]
    return shlex.join(["python", "scripts/train.py", *words])


def _command(info: CheckpointInfo) -> str:
    command = training_command(info)
    return f"Trained by\n\n```bash\n{command}\n```\n\n" if command else ""


def _front_matter(infos: Sequence[CheckpointInfo]) -> str:
    families = {"transformer" if info.cell == "minigpt" else "recurrent-neural-network" for info in infos}
    data = ModelCardData(
        license="mit",
        library_name="charrnn",
        pipeline_tag="text-generation",
        tags=[*sorted(families), "char-rnn", "character-level", *dict.fromkeys(info.cell for info in infos)],
        model_name=infos[0].name if len(infos) == 1 else "charrnn",
        eval_results=[_result(info, *part) for info in infos for part in VALIDATIONS if part[1] in info.metrics]
        or None,
    )
    return f"---\n{data.to_yaml()}\n---\n"


def _result(info: CheckpointInfo, name: str, key: str, protocol: str) -> EvalResult:
    return EvalResult(
        task_type="text-generation",
        dataset_type="text",
        dataset_name=title_of(info.data_sha256),
        dataset_split=f"last 10 % of the text, {protocol}",
        metric_type="bits_per_character",
        metric_name=f"bits per character, {name}, {info.name}",
        metric_value=round(bits_per_char(info.metrics[key]), 4),
    )


def _curve(history: Sequence[Metrics]) -> str:
    """Format a table of a few points of the curve; empty for fewer than two."""
    last = len(history) - 1
    if last < 1:
        return ""
    points = [history[at] for at in sorted({round(last * part / (CURVE_POINTS - 1)) for part in range(CURVE_POINTS)})]
    rows = [(point.step, bits_per_char(point.train_loss_nats), bits_per_char(point.val_loss_nats)) for point in points]
    head = "| step | training, bits per character | validation, `stream` |\n|---|---|---|\n"
    return head + "".join(f"| {step} | {train:.4f} | {val:.4f} |\n" for step, train, val in rows) + "\n"


def _reach(info: CheckpointInfo) -> str:
    """Format the half-life and effective context, if they are stored, as table rows."""
    rows, sections = "", info.analyses.sections
    with suppress(KeyError, RecordError):
        flow = flow_from_record(sections["gradient"])
        at = f"{flow.positions:,} positions of the validation text"
        rows += f"| half-life of the gradient, 95 % interval | {flow.describe_half_life()} characters, at {at} |\n"
    with suppress(KeyError, RecordError):
        context = memory_from_record(sections["memory"]).context
        length = describe_length(context.ecl_chars, len(context.n), context.ecl_interval)
        over = f"{context.predictions:,} predictions of the validation text"
        rows += f"| effective context at 0.01 nats, 95 % interval | {length} characters, over {over} |\n"
    return rows


def _figures(loss_nats: float | None) -> str:
    if loss_nats is None:
        return "– | – | –"
    return f"{loss_nats:.4f} | {bits_per_char(loss_nats):.4f} | {perplexity(loss_nats):.2f}"


def _short(info: CheckpointInfo) -> str:
    stream, cold = (info.metrics.get(key) for _, key, _ in VALIDATIONS)
    bits = None if stream is None else bits_per_char(stream)
    return " | ".join("–" if value is None else f"{value:.4f}" for value in (stream, bits, cold))
