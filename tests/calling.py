"""Call a script as a process, or its `main` in this process, which is faster."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
import torch

from charrnn.training import Training

ROOT = Path(__file__).resolve().parents[1]


def command(script: str, *arguments: object) -> list[str]:
    """The command line of a script."""
    return [sys.executable, str(ROOT / "scripts" / script), *map(str, arguments)]


def call(script: str, *arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a script as a process."""
    return subprocess.run(
        command(script, *arguments), capture_output=True, text=True, env=os.environ | environment, timeout=280
    )


class Said(NamedTuple):
    """Exit code and output of a script."""

    code: int | str | None
    out: str
    err: str


def said(capsys: pytest.CaptureFixture[str], main: Callable[[list[str]], int], *arguments: object) -> Said:
    """Call `main` with these arguments; restore the number of threads."""
    threads = torch.get_num_threads()
    capsys.readouterr()
    try:
        code = main([*map(str, arguments)])
    except SystemExit as exit:
        code = exit.code
    finally:
        torch.set_num_threads(threads)
    out, err = capsys.readouterr()
    return Said(code, out, err)


@contextmanager
def interrupted(at: int, cell: str = "rnn") -> Iterator[None]:
    """Raise SIGINT after so many updates of every run of this cell."""
    advance = Training.advance

    def advance_and_stop(training: Training) -> None:
        advance(training)
        if (training.step, training.recipe.cell) == (at, cell):
            signal.raise_signal(signal.SIGINT)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Training, "advance", advance_and_stop)
        yield
