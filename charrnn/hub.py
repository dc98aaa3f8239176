"""
Where checkpoints come from and go to: a folder of this machine, or a repository on the Hugging Face Hub.

The token is the Hub library's own business (`hf auth login`, HF_TOKEN): it is never an argument here and never printed.
"""

import re
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import (
    CommitOperationAdd,
    CommitOperationDelete,
    EvalResult,
    HfApi,
    ModelCardData,
    constants,
    errors,
    get_token,
    snapshot_download,
)

from charrnn import __version__
from charrnn.checkpoint import FILES, MODEL, CheckpointInfo, describe
from charrnn.corpus import TINY_SHAKESPEARE_SHA256
from charrnn.metrics import bits_per_char, perplexity

CARD = "README.md"  # beside it go FILES and nothing else, never the optimiser's state

# The two validation figures of a checkpoint: name, key of its metrics, protocol.
VALIDATIONS = (
    ("stream", "val_stream_nats", "64 contiguous streams, what was read carried along from start to end"),
    ("cold", "val_cold_nats", "windows of 256 characters, each read as if nothing came before"),
)

# What a card says of a network beside its sizes: its name, and what it knows of the text so far.
NETWORKS = {
    "rnn": ("vanilla recurrent network", "one vector of {hidden_dim} numbers"),
    "gru": ("gated recurrent unit (GRU)", "one vector of {hidden_dim} numbers"),
    "lstm": ("long short-term memory (LSTM)", "two vectors of {hidden_dim} numbers"),
    "minigpt": ("Transformer", "what each of its {layers} layers keeps of the last {context} characters"),
}

REPOSITORY = re.compile(r"(?P<repo_id>[\w.-]+/[\w.-]+)(@(?P<revision>[^@\s]+))?")


class HubError(ValueError):
    """A checkpoint could not be fetched or published; the message is one line and says what to do."""


@dataclass(frozen=True)
class PushResult:
    """Where a pushed checkpoint stands: the repository's address and the commit that holds it."""

    url: str
    commit: str


def resolve(source: str) -> Path:
    """
    The folder of checkpoints that `source` means: a local folder, or `owner/name[@revision]` on the Hub.

    A repository is downloaded once and then served from the Hub library's cache, also when there is no network;
    `commit_of` says which commit that is. Raises HubError.
    """
    folder = Path(source).expanduser()
    if folder.is_dir():
        return folder
    match = REPOSITORY.fullmatch(source)
    if match is None:
        raise HubError(f"{source!r} is neither a folder nor a Hub repository (owner/name or owner/name@revision)")
    patterns = [pattern for name in FILES for pattern in (name, f"*/{name}")]
    with _as_hub_errors(source):
        folder = Path(snapshot_download(match["repo_id"], revision=match["revision"], allow_patterns=patterns))
    if next(folder.rglob(MODEL), None) is None:
        raise HubError(f"{source} holds no charrnn checkpoint: there is no {MODEL} in it")
    return folder


def commit_of(folder: Path) -> str | None:
    """The commit that a folder given by `resolve` was downloaded from; None for a folder of this machine."""
    return folder.name if folder.parent.name == "snapshots" else None


def push(folder: Path, repo_id: str, *, private: bool = False) -> PushResult:
    """
    Publish a checkpoint folder with a model card, in one commit; the repository is made where there is none.

    The repository then holds this checkpoint and nothing of an earlier one; files of other kinds stay. A push of
    what is already there makes no commit. Raises CheckpointError for a folder that is no checkpoint, else HubError.
    """
    info = describe(folder)
    paths = {path.relative_to(folder).as_posix(): path for name in FILES for path in sorted(folder.glob(name))}
    api = HfApi(library_name="charrnn", library_version=__version__)
    with _as_hub_errors(repo_id):
        url = api.create_repo(repo_id, private=private, exist_ok=True)
        head = api.model_info(repo_id)
        gone = [file.rfilename for file in head.siblings or [] if _is_ours(file.rfilename)]
        gone = sorted(set(gone) - set(paths))
        commit = api.create_commit(
            repo_id,
            [
                CommitOperationAdd(CARD, model_card(info, repo_id).encode()),
                *(CommitOperationAdd(name, path) for name, path in paths.items()),
                *(CommitOperationDelete(name) for name in gone),
            ],
            commit_message=f"{info.name}, step {info.step}",
            parent_commit=head.sha,
        )
    return PushResult(str(url), commit.oid)


def retry_line(folder: Path, repo_id: str) -> str:
    """The command that does a push again."""
    return shlex.join(["python", "scripts/publish.py", str(folder), repo_id])


def _is_ours(name: str) -> bool:
    return any(Path(name).match(pattern) and name.count("/") == pattern.count("/") for pattern in FILES)


# ------------------------------------------------------------------------------------------------ the model card


def model_card(info: CheckpointInfo, repo_id: str) -> str:
    """The README of a published checkpoint: what it is, what it reaches and under which protocol, what it cannot do."""
    front_matter = ModelCardData(
        license="mit",
        library_name="charrnn",
        pipeline_tag="text-generation",
        tags=[
            "transformer" if info.cell == "minigpt" else "recurrent-neural-network",
            "char-rnn",
            "character-level",
            info.cell,
        ],
        model_name=info.name,
        eval_results=[
            EvalResult(
                task_type="text-generation",
                dataset_type="text",
                dataset_name=_corpus(info),
                dataset_split=f"last 10 % of the text, {protocol}",
                metric_type="bits_per_character",
                metric_name=f"bits per character, {name}",
                metric_value=round(bits_per_char(info.metrics[key]), 4),
            )
            for name, key, protocol in VALIDATIONS
        ],
    ).to_yaml()
    rows = [
        ("training minibatches", "train_loss_nats"),
        *((f"validation, `{name}`", key) for name, key, _ in VALIDATIONS),
    ]
    figures = "\n".join(f"| {name} | {_figures(info.metrics[key])} |" for name, key in rows)
    protocols = "\n".join(f"- `{name}`: {protocol}." for name, _, protocol in VALIDATIONS)
    network, memory = NETWORKS[info.cell]
    form = ", ".join(f"{name} {value}" for name, value in info.config.items())
    return f"""---
{front_matter}
---

# {info.name}

A character-level language model: a {network} of {info.parameters:,} parameters that knows {len(info.vocab)} characters,
trained with charrnn {__version__}.

| loss on | nats per character | bits per character | perplexity |
|---|---|---|---|
{figures}

First 90 % of the text train, last 10 % validate, contiguous.

{protocols}

| | |
|---|---|
| form | {form} |
| text | {_corpus(info)} |
| sha256 of the text | `{info.data_sha256}` |
| step, seed | {info.step}, {info.seed} |
| recipe | {", ".join(f"{name} {value}" for name, value in info.recipe.items())} |
| minutes of training | {info.metrics["minutes"]:.1f} |
| sha256 of model.safetensors | `{info.sha256}` |

## What it writes

At temperature 0.8:

{_fenced(info.metrics["sample"].strip())}

## Use

```bash
hf download {repo_id} --local-dir checkpoints/{info.name}
python scripts/sample.py --checkpoint {info.name} --prompt "ROMEO:"
```

`model.safetensors` holds weights, configuration and vocabulary; opening it runs no code.

## Limits

It has learnt how its text is spelt and laid out, not what it says: the words are often no words and the sentences
mean nothing. It knows the {len(info.vocab)} characters of its text and no others, and of what it has read it knows
{memory.format(**info.config)}. It is made for teaching.

## Licence

MIT for the weights and the code; the text has its own.
"""


def _corpus(info: CheckpointInfo) -> str:
    return "Tiny Shakespeare" if info.data_sha256 == TINY_SHAKESPEARE_SHA256 else "the author's own text"


def _fenced(text: str) -> str:
    """The text as a code block, whatever it holds: the fence is longer than any run of backticks in it."""
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", text)), default=0))
    return f"{fence}text\n{text}\n{fence}"


def _figures(loss_nats: float) -> str:
    return f"{loss_nats:.4f} | {bits_per_char(loss_nats):.4f} | {perplexity(loss_nats):.2f}"


# ------------------------------------------------------------------------------------------------ what can go wrong


ANSWERS = {
    401: "the Hub does not accept the token: see `hf auth whoami`, log in with `hf auth login`",
    402: "the Hub asks for a paid plan for this (402): see the pricing of your account",
    403: "the token may not write there: it needs write access to this repository",
    412: "someone else pushed in the meantime (412): run it again",
    429: "the Hub is asked too often (429): wait some minutes and run it again",
}


@contextmanager
def _as_hub_errors(subject: str) -> Iterator[None]:
    """Turn whatever the Hub library raises, from four unrelated families, into one HubError of one line."""
    try:
        yield
    except (OSError, ValueError, errors.HTTPError) as error:  # pyright: ignore[reportPrivateImportUsage]
        raise HubError(_without_token(_reason(error, subject))) from error


def _reason(error: Exception, subject: str) -> str:
    if isinstance(error, errors.LocalEntryNotFoundError) and isinstance(error.__cause__, errors.HfHubHTTPError):
        error = error.__cause__  # nothing cached, and this is why the Hub was of no help
    match error:
        case errors.HFValidationError():
            return f"{subject!r} is not the name of a Hub repository (owner/name)"
        case errors.GatedRepoError():
            return f"{subject} is gated: ask for access at {constants.ENDPOINT}/{subject.partition('@')[0]}"
        case errors.RepositoryNotFoundError():
            return f"{subject} was not found, or is private: check the name, or log in with `hf auth login`"
        case errors.RevisionNotFoundError():
            return f"{subject}: there is no such branch, tag or commit"
        case errors.HfHubHTTPError():
            status = error.response.status_code
            said = f"the Hub answered {status}: {_first_line(error.server_message or str(error))}"
            return f"{subject}: {ANSWERS.get(status, said)}"
        case ConnectionError() if "403" in str(error):  # what the Xet upload makes of a token without write access
            return f"{subject}: {ANSWERS[403]}"
        case errors.LocalEntryNotFoundError() | ConnectionError() | errors.HTTPError():  # pyright: ignore[reportPrivateImportUsage]
            return f"{subject}: the Hub cannot be reached: check the network and try again"
    return f"{subject}: {_first_line(str(error))}"


def _first_line(text: str) -> str:
    return next((line.strip() for line in text.splitlines() if line.strip()), "no reason given")


def _without_token(text: str) -> str:
    token = get_token()
    return text.replace(token, "…") if token else text
