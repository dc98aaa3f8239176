"""Interleaved timing of several variants; medians are compared."""

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


def interleave(variants: dict[str, Callable[[], Any]], rounds: int, warmup: int = 2) -> dict[str, list[float]]:
    """Time each variant once per round, in rotating order; milliseconds."""
    names = list(variants)
    times_ms: dict[str, list[float]] = {name: [] for name in names}
    for round_number in range(-warmup, rounds):
        first = round_number % len(names)
        for name in names[first:] + names[:first]:
            start = now()
            variants[name]()
            if round_number >= 0:
                times_ms[name].append(1000 * (now() - start))
    return times_ms


def now() -> float:
    """Return the time in seconds after pending GPU work is done."""
    if torch.cuda.is_initialized():
        torch.cuda.synchronize()
    return time.perf_counter()


def synthetic_corpus(vocab_size: int = VOCAB_SIZE, length: int = 200_000, seed: int = 0) -> Corpus:
    """Return a corpus of random characters."""
    ids = torch.randint(vocab_size, (length,), generator=seeded(seed))
    ids[:vocab_size] = torch.arange(vocab_size)
    return Corpus.from_text("".join(chr(ord("!") + i) for i in ids.tolist()))


def machine(device: str = "cpu") -> dict[str, Any]:
    """Describe the machine: processor, cores, threads, torch version."""
    found = {
        "processor": processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
    }
    return found if device == "cpu" else found | {"gpu": torch.cuda.get_device_name(device)}


def processor() -> str:
    """Return the processor's name, as far as the system reports it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def resident_bytes(process: int | str = "self") -> int | None:
    """Return the resident memory of a process in bytes; None if unknown."""
    try:
        pages = Path(f"/proc/{process}/statm").read_text().split()[1]
    except OSError:
        return None
    return int(pages) * os.sysconf("SC_PAGE_SIZE")
