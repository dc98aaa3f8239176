"""How contestants are timed: they take turns, medians count, the machine is named."""

import os
import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from charrnn.corpus import Corpus
from charrnn.seeds import seeded

VOCAB_SIZE = 65  # Tiny Shakespeare's


def take_turns(contestants: dict[str, Callable[[], Any]], rounds: int, warmup: int = 2) -> dict[str, list[float]]:
    """Milliseconds of every turn: each round runs each contestant once, another one first each time."""
    names = list(contestants)
    turns: dict[str, list[float]] = {name: [] for name in names}
    for round_number in range(-warmup, rounds):
        first = round_number % len(names)
        for name in names[first:] + names[:first]:
            start = now()
            contestants[name]()
            if round_number >= 0:
                turns[name].append(1000 * (now() - start))
    return turns


def now() -> float:
    """Seconds, once everything that a GPU was told to do is done."""
    if torch.cuda.is_initialized():
        torch.cuda.synchronize()
    return time.perf_counter()


def synthetic_corpus(vocab_size: int = VOCAB_SIZE, length: int = 200_000, seed: int = 0) -> Corpus:
    """A text of random characters: as many kinds as Tiny Shakespeare has, and nothing to download."""
    ids = torch.randint(vocab_size, (length,), generator=seeded(seed))
    ids[:vocab_size] = torch.arange(vocab_size)
    return Corpus.from_text("".join(chr(ord("!") + i) for i in ids.tolist()))


def machine(device: str = "cpu") -> dict[str, Any]:
    """What the figures were measured on."""
    found = {
        "processor": processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
    }
    return found if device == "cpu" else found | {"gpu": torch.cuda.get_device_name(device)}


def processor() -> str:
    """The processor's name, as far as the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def resident_bytes(process: int | str = "self") -> int | None:
    """Return the memory that a process, by its id, holds now; None where the system does not tell."""
    try:
        pages = Path(f"/proc/{process}/statm").read_text().split()[1]
    except OSError:
        return None
    return int(pages) * os.sysconf("SC_PAGE_SIZE")
