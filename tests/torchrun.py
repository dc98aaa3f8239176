"""Run a script under torchrun; optionally kill one of its processes."""

import os
import subprocess
import sys
from pathlib import Path

from charrnn.commands.train_resume import readable_checkpoint
from tests.cli import ROOT

# The worker: short texts, few RECIPES; a run of the cell DIES is killed in its third step.
WORKER = """
import importlib, os, signal, sys
sys.path.insert(0, os.environ["ROOT"])
from charrnn.training import RECIPES, Training
from charrnn.commands import train_all, train_run
train_all.RECIPES = {name: RECIPES[name] for name in os.environ["RECIPES"].split()}
train_run.SAMPLE_CHARS = train_run.PASSAGE_CHARS = 5
advance = Training.advance
def dying(training):
    advance(training)
    if training.recipe.cell == os.environ.get("DIES") and training.step == 3:
        os.kill(os.getpid(), signal.SIGKILL)
Training.advance = dying
sys.exit(importlib.import_module("charrnn.commands." + os.environ["SCRIPT"]).main(sys.argv[1:]))
"""


def run_torchrun(
    folder: Path, script: str, processes: int, recipes: list[str], *arguments: object, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run `torchrun --nproc-per-node=processes scripts/script.py arguments`."""
    worker = folder / "worker.py"
    worker.write_text(WORKER)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    settings = {"ROOT": str(ROOT), "SCRIPT": script, "RECIPES": " ".join(recipes), "OMP_NUM_THREADS": "2"} | environment
    return subprocess.run(
        [*command, str(worker), *map(str, arguments)], env=os.environ | settings, capture_output=True, text=True
    )


def finished_runs(root: Path) -> set[str]:
    """The names of the folders with finished runs."""
    found = {path.name: readable_checkpoint(path) for path in root.iterdir()}
    return {name for name, checkpoint in found.items() if checkpoint and checkpoint.finished}
