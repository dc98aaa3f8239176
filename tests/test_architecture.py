"""
The house rules that no tool checks: floors, doors, no work at import, nothing that can run a file's code.

Each check is a function from a folder to a list of findings. It is run on the project, where it must find nothing, and
on planted violations, where it must find exactly them: a check that cannot fail would be worth nothing.
"""

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

# A room imports only lower floors; rooms on one floor do not know each other.
FLOORS = [
    {"vocab", "metrics", "published", "printable", "character_kinds", "findings", "paths", "ranges", "signs"},
    {"corpus", "command", "seeds", "cells", "dropout", "head", "interventions", "ngram", "text_quality"},
    {"agreement", "bptt", "sampling"},
    {"model", "minigpt", "probes", "same_dice", "surprisal"},
    {"networks", "reference"},
    {"training", "checkpoint", "gradient_flow", "line_by_line", "memory", "neurons", "trust"},
    {"hub", "figures", "step_profile"},
    {"ui"},
]
FLOOR_OF = {room: number for number, floor in enumerate(FLOORS) for room in floor}

# The rooms each library may enter by. A library that is not listed has no door.
DOORS = {
    "numpy": set(FLOOR_OF) - FLOORS[0],
    "torch": set.union(*FLOORS[1:6]) | {"step_profile"},
    "safetensors": {"checkpoint"},
    "huggingface_hub": {"hub"},
    "httpx2": {"hub"},  # its client
    "plotly": {"figures"},
    "gradio": {"ui"},
    "anyio": {"ui"},  # gradio's own threads
    "httpx": {"ui"},  # and what it reads addresses with
    "uvicorn": {"ui"},  # and what serves it
    "h11": {"ui"},
    "pydantic": {"ui"},  # and what it checks requests with
}
GLOBAL_DICE = {"torch.manual_seed", "torch.seed", "torch.set_rng_state", "np.random.seed", "random.seed"}
RUNS_CODE = {"pickle", "cPickle", "dill", "joblib", "marshal", "shelve"}


def sources(root: Path) -> list[Path]:
    """Every Python file of the project but its tests."""
    return sorted([*(root / "charrnn").rglob("*.py"), *(root / "scripts").rglob("*.py"), *root.glob("*.py")])


def room_of(path: Path, root: Path) -> str | None:
    """The room a file belongs to: its module's name, or its package's; None outside the package and for its front."""
    parts = path.relative_to(root).parts
    room = parts[1].removesuffix(".py") if parts[0] == "charrnn" else None
    return None if room == "__init__" else room


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """(line, dotted name) of every import in the file, at any depth of its code; relative ones begin with a dot."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            prefix = "." * node.level + (f"{node.module}." if node.module else "")
            yield from ((node.lineno, prefix + alias.name) for alias in node.names)


def import_findings(root: Path) -> list[str]:
    """What in the project's imports breaks the floors or the doors, one line each."""
    findings = []
    for path in sources(root):
        here = room_of(path, root)
        where = path.relative_to(root).as_posix()
        if here is not None and here not in FLOOR_OF:
            findings.append(f"{where}: the room {here} stands on no floor")
            continue
        for line, name in imports(path):
            if problem := _import_problem(here, name):
                findings.append(f"{where}:{line}: {problem}")
    return findings


def _import_problem(here: str | None, name: str) -> str | None:
    library, _, rest = name.partition(".")
    if library == "":
        return f"{name} is a relative import"
    if library == "charrnn":
        there = rest.partition(".")[0]
        if there == "__version__" or here is None or here == there:
            return None
        if there not in FLOOR_OF:
            return f"{name} is no room"
        return None if FLOOR_OF[there] < FLOOR_OF[here] else f"{here} must not know {there}"
    if library == "gradio" and here != "ui":
        return "gradio enters by the ui alone"
    if here is None or library in sys.stdlib_module_names or here in DOORS.get(library, ()):
        return None
    return f"{library} has no door into {here}"


def code_running_findings(root: Path) -> list[str]:
    """Where the project could run code that a file or a repository brings along, one line each."""
    findings = []
    for path in sources(root):
        names = [(line, name) for line, name in imports(path) if name.partition(".")[0] in RUNS_CODE]
        names += [(line, name) for line, name in imports(path) if name == "torch.load"]
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and ast.unparse(node) in {"torch.load", "torch.jit.load"}:
                names.append((node.lineno, ast.unparse(node)))
            elif isinstance(node, ast.Name) and node.id in {"eval", "exec", "__import__"}:
                names.append((node.lineno, node.id))
            elif isinstance(node, ast.keyword) and node.arg in {"trust_remote_code", "allow_pickle"}:
                names.append((node.value.lineno, node.arg))
        findings += [f"{path.relative_to(root).as_posix()}:{line}: {name}" for line, name in names]
    return findings


def global_dice_findings(root: Path) -> list[str]:
    """Where the package would throw or set dice that everyone shares, one line each."""
    findings = []
    for path in sorted((root / "charrnn").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and ast.unparse(node) in GLOBAL_DICE:
                findings.append(f"{path.relative_to(root).as_posix()}:{node.lineno}: {ast.unparse(node)}")
    return findings


# Imports modules one by one and reports, for each, what it did besides defining things.
WATCHER = """
import contextlib, importlib, json, random, sys, threading
import numpy, torch
root, preload, modules = json.loads(sys.argv[1])
sys.path[:0] = [root]
sys.dont_write_bytecode = True
for name in preload:
    importlib.import_module(name)

seen = []
WORK = {"socket.connect", "socket.bind", "socket.getaddrinfo", "subprocess.Popen", "os.system", "os.mkdir", "os.rename",
        "os.remove", "os.putenv"}

def watch(event, arguments):
    if event in WORK:
        seen.append(event)
    elif event == "open" and (str(arguments[0]).endswith(".safetensors") or set(str(arguments[1])) & set("wax+")):
        seen.append(f"open {arguments[0]}")

def world():
    return {
        "torch's random state": torch.get_rng_state().tolist(),
        "numpy's random state": repr(numpy.random.get_state()),
        "Python's random state": repr(random.getstate()),
        "the number of threads": (torch.get_num_threads(), torch.get_num_interop_threads()),
        "the default dtype": str(torch.get_default_dtype()),
        "grad mode": torch.is_grad_enabled(),
        "running threads": sorted(thread.name for thread in threading.enumerate()),
    }

sys.addaudithook(watch)
report = {}
for name in modules:
    before = world()
    seen.clear()
    with contextlib.redirect_stdout(sys.stderr):
        importlib.import_module(name)
    after = world()
    work = sorted(set(seen)) + [what for what in before if before[what] != after[what]]
    if work:
        report[name] = work
print(json.dumps(report))
"""


def work_at_import(root: Path, modules: list[str], preload: list[str]) -> dict[str, list[str]]:
    """What each module does when it is imported, besides defining things; `preload` is imported unwatched before."""
    run = subprocess.run(
        [sys.executable, "-c", WATCHER, json.dumps([str(root), preload, modules])],
        cwd=root,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


def libraries_loaded_by(root: Path, module: str) -> set[str]:
    """The libraries with a door that importing the module brings in, however indirectly."""
    code = f"import json, sys; sys.path[:0] = [{str(root)!r}]; import {module}; print(json.dumps(list(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return set(json.loads(run.stdout)) & set(DOORS)


def plant(root: Path, files: dict[str, str]) -> Path:
    """A small project with these files, to be found fault with."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


# ------------------------------------------------------------------------------------------------ floors and doors


def test_every_import_keeps_to_floors_and_doors():
    assert import_findings(ROOT) == []


def test_a_clean_project_is_clean(tmp_path):
    plant(
        tmp_path,
        {
            "charrnn/__init__.py": "",
            "charrnn/model.py": "import math\nimport torch\nfrom charrnn.cells import VanillaRNNCell",
            "charrnn/ui/write_tab.py": "import gradio as gr\nfrom charrnn.ui.theme import CSS\nimport charrnn.figures",
            "scripts/train.py": "import torch\nfrom charrnn.training import train",
            "app.py": "from charrnn.ui import build_demo",
        },
    )
    assert import_findings(tmp_path) == []


@pytest.mark.parametrize(
    ("file", "text", "problem"),
    [
        ("charrnn/vocab.py", "import charrnn.cells", "vocab must not know cells"),
        ("charrnn/cells.py", "def late():\n    from charrnn.ui import build_demo", "cells must not know ui"),
        ("charrnn/training.py", "from charrnn.checkpoint import save", "training must not know checkpoint"),
        ("charrnn/training/run.py", "from charrnn.checkpoint import save", "training must not know checkpoint"),
        ("charrnn/minigpt/model.py", "from charrnn.model import CharRNN", "minigpt must not know model"),
        ("charrnn/model.py", "from charrnn.networks import build", "model must not know networks"),
        ("charrnn/text_quality.py", "from charrnn.ngram import fit", "text_quality must not know ngram"),
        ("charrnn/published.py", "import numpy", "numpy has no door into published"),
        ("charrnn/figures.py", "from charrnn.hub import resolve", "figures must not know hub"),
        ("charrnn/model.py", "from charrnn import cells, training", "model must not know training"),
        ("charrnn/model.py", "import charrnn", "charrnn is no room"),
        ("charrnn/model.py", "from .cells import VanillaRNNCell", ".cells.VanillaRNNCell is a relative import"),
        ("charrnn/ui/theme.py", "from . import keys", ".keys is a relative import"),
        ("charrnn/vocab.py", "import torch", "torch has no door into vocab"),
        ("charrnn/figures.py", "import torch", "torch has no door into figures"),
        ("charrnn/model.py", "from safetensors.torch import load", "safetensors has no door into model"),
        ("charrnn/checkpoint.py", "import huggingface_hub", "huggingface_hub has no door into checkpoint"),
        ("charrnn/ui/hood_tab.py", "import plotly", "plotly has no door into ui"),
        ("charrnn/hub.py", "import requests", "requests has no door into hub"),
        ("charrnn/figures.py", "if True:\n    import gradio as gr", "gradio enters by the ui alone"),
        ("scripts/bench.py", "import gradio", "gradio enters by the ui alone"),
        ("charrnn/utils.py", "", "the room utils stands on no floor"),
    ],
)
def test_a_planted_import_is_found(tmp_path, file, text, problem):
    findings = import_findings(plant(tmp_path, {"charrnn/metrics.py": "import math", file: text}))
    assert len(findings) == 1
    assert findings[0].startswith(file) and findings[0].endswith(problem)


# ------------------------------------------------------------------------------------------------ code in files


def test_nothing_can_run_the_code_of_a_file_or_a_repository():
    assert code_running_findings(ROOT) == []


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("import torch\ntorch.load('model.pt')", "torch.load"),
        ("import torch\nread = torch.load", "torch.load"),
        ("from torch import load", "torch.load"),
        ("def late():\n    import pickle", "pickle"),
        ("from pickle import loads", "pickle.loads"),
        ("eval('1')", "eval"),
        ("exec(open('configurator.py').read())", "exec"),
        ("snapshot(trust_remote_code=True)", "trust_remote_code"),
        ("np.load('a.npy', allow_pickle=True)", "allow_pickle"),
    ],
)
def test_planted_code_running_is_found(tmp_path, text, name):
    findings = code_running_findings(plant(tmp_path, {"charrnn/checkpoint.py": text}))
    assert [finding.rpartition(": ")[2] for finding in findings] == [name]


def test_a_model_in_evaluation_mode_is_no_finding(tmp_path):
    assert code_running_findings(plant(tmp_path, {"charrnn/checkpoint.py": "model.eval()\nmodel.load('x')"})) == []


# ------------------------------------------------------------------------------------------------ dice


def test_the_package_leaves_the_dice_of_everyone_alone():
    assert global_dice_findings(ROOT) == []


def test_planted_global_dice_are_found_and_own_ones_are_not(tmp_path):
    planted = "import torch\ntorch.manual_seed(1)\ntorch.Generator().manual_seed(1)\nrng.manual_seed(2)"
    plant(tmp_path, {"charrnn/training/run.py": planted, "scripts/train.py": "import torch\ntorch.manual_seed(1)"})
    assert global_dice_findings(tmp_path) == ["charrnn/training/run.py:2: torch.manual_seed"]


# ------------------------------------------------------------------------------------------------ work at import


def test_importing_any_module_does_no_work():
    modules = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in sources(ROOT)]
    modules = [module.removesuffix(".__init__") for module in modules]
    assert work_at_import(ROOT, modules, [*DOORS, "tqdm", "safetensors.torch", "plotly.graph_objects"]) == {}


def test_planted_work_at_import_is_found(tmp_path):
    planted = {
        "seeds_torch": ("import torch\ntorch.manual_seed(1)", "torch's random state"),
        "draws": ("import torch\ntorch.rand(1)", "torch's random state"),
        "seeds_numpy": ("import numpy\nnumpy.random.seed(1)", "numpy's random state"),
        "seeds_python": ("import random\nrandom.seed(1)", "Python's random state"),
        "sets_threads": ("import torch\ntorch.set_num_threads(torch.get_num_threads() + 1)", "the number of threads"),
        "stops_gradients": ("import torch\ntorch.set_grad_enabled(False)", "grad mode"),
        "starts_threads": (
            "import threading, time\nthreading.Thread(target=time.sleep, args=[9], daemon=True).start()",
            "running threads",
        ),
        "connects": ("import socket\nsocket.socket().connect_ex(('127.0.0.1', 9))", "socket.connect"),
        "writes": ("from pathlib import Path\nPath('left_behind').write_text('')", "open left_behind"),
        "loads": ("try:\n    open('model.safetensors')\nexcept OSError:\n    pass", "open model.safetensors"),
        "runs": ("import subprocess, sys\nsubprocess.run([sys.executable, '-c', ''])", "subprocess.Popen"),
    }
    plant(tmp_path, {f"{name}.py": text for name, (text, _) in planted.items()} | {"innocent.py": "LIMIT = 5"})
    found = work_at_import(tmp_path, [*planted, "innocent"], [])
    assert "innocent" not in found
    for name, (_, work) in planted.items():
        assert work in found.get(name, []), name


def test_importing_the_model_and_what_trains_it_loads_no_interface_library():
    assert libraries_loaded_by(ROOT, "charrnn.model, charrnn.training, charrnn.gradient_flow") == {"torch", "numpy"}


def test_a_planted_interface_library_is_found(tmp_path):
    plant(tmp_path, {"inner.py": "import plotly", "outer.py": "import inner"})
    assert libraries_loaded_by(tmp_path, "outer") == {"plotly"}
