"""Call scripts and their `main`; interrupt a training run."""

import signal
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
    """Return the command line of a script."""
    return [sys.executable, str(ROOT / "scripts" / script), *map(str, arguments)]


class MainResult(NamedTuple):
    """Exit code and output of a script."""

    code: int | str | None
    out: str
    err: str


def run_main(capsys: pytest.CaptureFixture[str], main: Callable[[list[str]], int], *arguments: object) -> MainResult:
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
    return MainResult(code, out, err)


@contextmanager
def interrupted(at: int, cell: str = "rnn") -> Iterator[None]:
    """Raise SIGINT after update number `at` of every run of this cell."""
    advance = Training.advance

    def advance_and_stop(training: Training) -> None:
        advance(training)
        if (training.step, training.recipe.cell) == (at, cell):
            signal.raise_signal(signal.SIGINT)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Training, "advance", advance_and_stop)
        yield
