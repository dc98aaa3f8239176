"""
Project rules: layers, allowed imports, no work at import, no code from files.

Each check is a function from a folder to a list of findings. It must find nothing in the project, and exactly the
planted violations in small example projects.
"""

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli import ROOT

# A module or package imports lower layers only; those of one layer do not import each other.
LAYERS = [
    {"vocab", "metrics", "published_results", "control_char_escapes", "char_classes", "analysis_record"}
    | {"number_format", "paths", "ranges", "invisible_chars"},
    {"corpus", "script_runner", "seeds", "cells", "dropout", "chunked_logits", "clamps", "ngram", "text_quality"}
    | {"bootstrap", "pretrained_methods", "matrix_products"},
    {"edited_equations", "bptt", "sampling", "seed_means", "text_tables"},
    {"export"},
    {"model", "minigpt", "probes", "surprisal"},
    {"registry", "torch_reference"},
    {"training", "checkpoint", "gradient_flow", "tracing", "context_use", "neurons", "self_checks"},
    {"hub", "figures", "profiling", "flag_types"},
    {"ui", "pretrained"},
    {"site"},
    {"commands", "bench"},
    {"study", "cli"},
    {"__main__"},
]
LAYER_OF = {name: number for number, layer in enumerate(LAYERS) for name in layer}

# The methods of a model that load, save and publish it import this module on call.
EXCEPTIONS = {("pretrained_methods", "pretrained")}

# The packages that may import each library; none may import one that is not listed.
ALLOWED_IMPORTS = {
    "numpy": set(LAYER_OF) - LAYERS[0],
    "torch": set.union(*LAYERS[1:7]) | {"profiling", "commands", "bench", "study"},
    "safetensors": {"checkpoint", "export"},
    "filelock": {"checkpoint"},
    "huggingface_hub": {"hub"},
    "httpx2": {"hub"},  # the client of huggingface_hub
    "plotly": {"figures"},
    "gradio": {"ui"},
    "anyio": {"ui"},  # gradio's threads
    "httpx": {"ui", "bench"},  # gradio parses addresses with it
    "uvicorn": {"ui"},  # gradio's server
    "h11": {"ui"},
    "pydantic": {"ui"},
    "playwright": {"bench"},  # a browser, for developers
    "tqdm": {"commands"},
    "spaces": {"commands"},  # only installed on a Space with a GPU
}

# Within `ui`: the lowest layer first. Tabs import neither each other nor the page.
UI_LAYERS = [
    {"tabs"},
    {"server"},
    {"components"},
    {"engine"},
    {"session", "api"},
    {"write", "gradients", "neurons", "compare", "under_the_hood", "lab_sheet", "sidebar"},
    {"lecture"},
    {"page", "gradio_server"},
    {"site"},
]
UI_LAYER_OF = {name: number for number, layer in enumerate(UI_LAYERS) for name in layer}
GLOBAL_RANDOM = {"torch.manual_seed", "torch.seed", "torch.set_rng_state", "np.random.seed", "random.seed"}
RUNS_CODE = {"pickle", "cPickle", "dill", "joblib", "marshal", "shelve"}


def sources(root: Path) -> list[Path]:
    """List every Python file of the project except tests."""
    return sorted([*(root / "charrnn").rglob("*.py"), *(root / "scripts").rglob("*.py"), *root.glob("*.py")])


def package_of(path: Path, root: Path) -> str | None:
    """Return the module or package of a file; None for __init__ or other folders."""
    parts = path.relative_to(root).parts
    name = parts[1].removesuffix(".py") if parts[0] == "charrnn" else None
    return None if name == "__init__" else name


def ui_part_of(path: Path, root: Path) -> str | None:
    """Return the folder of a file in `ui`, or the file itself; None outside `ui`."""
    parts = path.relative_to(root).parts
    name = parts[2].rpartition(".")[0] or parts[2] if parts[:2] == ("charrnn", "ui") else None
    return None if name == "__init__" else name


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Yield (line, dotted name) of the imports of a file; relative ones with a dot."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            prefix = "." * node.level + (f"{node.module}." if node.module else "")
            yield from ((node.lineno, prefix + alias.name) for alias in node.names)


def import_findings(root: Path) -> list[str]:
    """List imports that break the layers or are not allowed."""
    findings = []
    for path in sources(root):
        package, part = package_of(path, root), ui_part_of(path, root)
        file = path.relative_to(root).as_posix()
        if package is not None and package not in LAYER_OF:
            findings.append(f"{file}: {package} is in no layer")
            continue
        for line, name in imports(path):
            problem = _import_problem(package, name)
            if package == "ui" and name.startswith("charrnn.ui."):
                problem = _ui_problem(part, name.split(".")[2])
            if problem:
                findings.append(f"{file}:{line}: {problem}")
    return findings


def script_findings(root: Path) -> list[str]:
    """List imports between the JavaScript modules of `ui` that break its layers."""
    findings = []
    for path in sorted((root / "charrnn" / "ui").rglob("*.js")):
        for target in re.findall(r'(?:from|import)\s*\(?\s*"(\.[^"]+)"', path.read_text(encoding="utf-8")):
            imported = ui_part_of((path.parent / target).resolve(), root.resolve())
            if problem := _ui_problem(ui_part_of(path, root), imported or target):
                findings.append(f"{path.relative_to(root).as_posix()}: {problem}")
    return findings


def _ui_problem(part: str | None, imported: str) -> str | None:
    if part is None or part == imported:
        return None
    for name in (part, imported):
        if name not in UI_LAYER_OF:
            return f"{name} is in no layer of ui"
    return None if UI_LAYER_OF[imported] < UI_LAYER_OF[part] else f"{part} must not import {imported}"


def _import_problem(package: str | None, name: str) -> str | None:
    library, _, rest = name.partition(".")
    if library == "":
        return f"{name} is a relative import"
    if library == "charrnn":
        imported = rest.partition(".")[0]
        if imported == "__version__" or package in (None, imported) or (package, imported) in EXCEPTIONS:
            return None
        if imported not in LAYER_OF:
            return f"{name} is no module of charrnn"
        return None if LAYER_OF[imported] < LAYER_OF[package] else f"{package} must not import {imported}"
    if library == "gradio" and package != "ui":
        return "only ui may import gradio"
    if package is None or library in sys.stdlib_module_names or package in ALLOWED_IMPORTS.get(library, ()):
        return None
    return f"{library} may not be imported by {package}"


def code_running_findings(root: Path) -> list[str]:
    """List calls that could run code from a file or repository."""
    findings = []
    for path in sources(root):
        names = [*imports(path)]
        names = [(line, name) for line, name in names if name.partition(".")[0] in RUNS_CODE or name == "torch.load"]
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and node.attr == "load" and ast.unparse(node.value).startswith("torch"):
                names.append((node.lineno, ast.unparse(node)))
            elif isinstance(node, ast.Name) and node.id in {"eval", "exec", "__import__"}:
                names.append((node.lineno, node.id))
            elif isinstance(node, ast.keyword) and node.arg in {"trust_remote_code", "allow_pickle"}:
                names.append((node.value.lineno, node.arg))
        findings += [f"{path.relative_to(root).as_posix()}:{line}: {name}" for line, name in names]
    return findings


def global_random_findings(root: Path) -> list[str]:
    """List uses of the global random generators in the package."""
    findings = []
    for path in sorted((root / "charrnn").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and isinstance(node.value, (ast.Name, ast.Attribute)):
                if (name := ast.unparse(node)) in GLOBAL_RANDOM:
                    findings.append(f"{path.relative_to(root).as_posix()}:{node.lineno}: {name}")
    return findings


# Imports modules one by one and reports the side effects of each.
IMPORTER = """
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
    """Return the side effects of importing each module; `preload` is imported before."""
    run = subprocess.run(
        [sys.executable, "-c", IMPORTER, json.dumps([str(root), preload, modules])],
        cwd=root,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


def plant(root: Path, files: dict[str, str]) -> Path:
    """Write an example project with these files; return its folder."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


def test_imports_follow_layers():
    assert import_findings(ROOT) == []
    assert script_findings(ROOT) == []


@pytest.mark.parametrize(
    ("file", "text", "problem"),
    [
        ("components/plot/plot.js", 'import { a } from "../../write/view.js";', "components must not import write"),
        ("write/view.js", 'import { a } from "../gradients/saliency.js";', "write must not import gradients"),
        ("session/session.js", 'import("../sidebar/share.js")', "session must not import sidebar"),
        ("write/view.js", 'import { a } from "../other.js";', "other is in no layer of ui"),
    ],
)
def test_script_import_violation_is_found(tmp_path, file, text, problem):
    name = f"charrnn/ui/{file}"
    assert script_findings(plant(tmp_path, {name: text})) == [f"{name}: {problem}"]


@pytest.mark.parametrize(
    ("file", "text", "problem"),
    [
        ("charrnn/cells.py", "def late():\n    from charrnn.ui import build_demo", "cells must not import ui"),
        ("charrnn/training.py", "from charrnn.checkpoint import save", "training must not import checkpoint"),
        ("charrnn/minigpt/model.py", "from charrnn.model import CharRNN", "minigpt must not import model"),
        ("charrnn/published_results.py", "import numpy", "numpy may not be imported by published_results"),
        ("charrnn/model.py", "from charrnn import cells, training", "model must not import training"),
        ("charrnn/model.py", "from .cells import VanillaRNNCell", ".cells.VanillaRNNCell is a relative import"),
        ("charrnn/ui/under_the_hood/tab.py", "import plotly", "plotly may not be imported by ui"),
        ("charrnn/hub.py", "import requests", "requests may not be imported by hub"),
        ("charrnn/figures.py", "if True:\n    import gradio as gr", "only ui may import gradio"),
        ("charrnn/utils.py", "", "utils is in no layer"),
        ("charrnn/ui/neurons/unit.py", "from charrnn.ui.compare import tab", "neurons must not import compare"),
        ("charrnn/ui/server/cache.py", "import charrnn.ui.page", "server must not import page"),
    ],
)
def test_import_violation_is_found(tmp_path, file, text, problem):
    findings = import_findings(plant(tmp_path, {"charrnn/metrics.py": "import math", file: text}))
    assert len(findings) == 1
    assert findings[0].startswith(file) and findings[0].endswith(problem)


def test_project_runs_no_code_and_draws_nothing_globally():
    assert code_running_findings(ROOT) == []
    assert global_random_findings(ROOT) == []


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
def test_code_running_call_is_found(tmp_path, text, name):
    files = {"charrnn/checkpoint.py": text, "charrnn/model.py": "model.eval()\nmodel.load('x')"}
    findings = code_running_findings(plant(tmp_path, files))
    assert [finding.rpartition(": ")[2] for finding in findings] == [name]


def test_global_random_call_is_found(tmp_path):
    text = "import torch\ntorch.manual_seed(1)\ntorch.Generator().manual_seed(1)\nrng.manual_seed(2)"
    plant(tmp_path, {"charrnn/training/trainer.py": text, "scripts/train.py": "import torch\ntorch.manual_seed(1)"})
    assert global_random_findings(tmp_path) == ["charrnn/training/trainer.py:2: torch.manual_seed"]


def test_imports_have_no_side_effects():
    modules = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in sources(ROOT)]
    modules = [module.removesuffix(".__init__") for module in modules]
    libraries = [name for name in ALLOWED_IMPORTS if name != "spaces"]
    preload = [*libraries, "safetensors.torch", "plotly.graph_objects", "setuptools"]
    assert work_at_import(ROOT, modules, preload) == {}


def test_import_side_effect_is_found(tmp_path):
    modules = {
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
    plant(tmp_path, {f"{name}.py": text for name, (text, _) in modules.items()} | {"innocent.py": "LIMIT = 5"})
    found = work_at_import(tmp_path, [*modules, "innocent"], [])
    assert "innocent" not in found
    for name, (_, work) in modules.items():
        assert work in found.get(name, []), name
