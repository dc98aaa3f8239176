"""The text of a run: --data, else that of the run to resume, else the default."""

import argparse
from pathlib import Path

from charrnn.checkpoint import Target
from charrnn.corpus import (
    TINY_SHAKESPEARE_SHA256,
    Corpus,
    cache_path,
    cached_tiny_shakespeare,
    read_text,
    tiny_shakespeare,
)


def read_corpus(data: Path | None) -> Corpus:
    """Read a text file, or download Tiny Shakespeare. Raises ValueError."""
    if data is not None:
        return Corpus.from_text(read_text(data))
    if cached_tiny_shakespeare() is None:
        print(f"downloading Tiny Shakespeare to {cache_path()}")
    return Corpus.from_text(tiny_shakespeare())


def corpus_of(options: argparse.Namespace, target: Target) -> Corpus:
    """Read --data, else the text of the run, else Tiny Shakespeare. Raises ValueError."""
    run = target.run if options.resume else None
    if options.data or not run or run.get("data_sha256") == TINY_SHAKESPEARE_SHA256:
        return read_corpus(options.data)
    if not isinstance(run.get("data"), str):
        raise ValueError(f"the run in {target.folder} does not say where its text is: name it with --data")
    try:
        corpus = read_corpus(Path(run["data"]))
    except ValueError as error:
        raise ValueError(f"{error}; the run in {target.folder} learns that text: name it with --data") from None
    if corpus.sha256 != run.get("data_sha256"):
        raise ValueError(
            f"{run['data']} is no longer the text that the run in {target.folder} learns (sha256 "
            f"{corpus.sha256[:12]}…): give that one with --data"
        )
    return corpus


def require_outside(data: Path | None, out: Path) -> None:
    """Raise ValueError if the text lies in the folder that the run writes to."""
    if data is not None and data.resolve().is_relative_to(out.resolve()):
        raise ValueError(f"--data {data} lies in {out}, where the run writes: move it, or give another --out")


def absolute_path(data: Path | None) -> str | None:
    """Return the absolute path of a text; None if it is not valid UTF-8."""
    try:
        return None if data is None else str(data.absolute()).encode("utf-8").decode("utf-8")
    except UnicodeEncodeError:
        return None
