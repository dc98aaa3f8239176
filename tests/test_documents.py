"""README.md and docs/: what they name exists, and their snippets run."""

import io
import json
import re
import shlex
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import redirect_stdout
from functools import cache
from importlib import import_module

import pytest
import torch
import yaml

from charrnn.bench import run_bench
from charrnn.bench.app_process import serving
from charrnn.checkpoint import load
from charrnn.clamps import Clamp
from charrnn.commands import sample
from charrnn.paths import STUDY
from charrnn.study import report, study_flags, study_parts
from charrnn.study.stored_records import BENCHES, Records
from charrnn.training import RECIPES
from charrnn.ui.server import share_link
from charrnn.ui.server.checkpoint_store import Store
from charrnn.vocab import Vocab
from tests.cli import ROOT, run_main

README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = {
    path.name: path.read_text(encoding="utf-8") for path in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
}
DOCUMENTS = "\n".join(PAGES.values())
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", DOCUMENTS, re.DOTALL | re.MULTILINE)
FRONT_MATTER = yaml.safe_load(README.split("---")[1])

# https://huggingface.co/docs/hub/spaces-config-reference
SPACE_KEYS = {"title", "emoji", "colorFrom", "colorTo", "sdk", "sdk_version", "python_version", "app_file", "license"}
SPACE_KEYS |= {"short_description", "pinned", "thumbnail", "models", "datasets", "tags", "header", "fullWidth"}
COLORS = {"red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"}


def blocks(language: str) -> list[str]:
    return [text for found, text in BLOCKS if found == language]


def commands(script: str) -> list[list[str]]:
    """Return the arguments of every documented command that runs this script."""
    lines = [line for language in ("bash", "powershell") for text in blocks(language) for line in text.splitlines()]
    found = [shlex.split(line, comments=True) for line in lines if f"{script} " in f"{line} "]
    return [words[words.index(script) + 1 :] for words in found if script in words]


def executed(snippet: str) -> str:
    """Run a Python snippet; return its output."""
    with redirect_stdout(io.StringIO()) as out:
        exec(snippet, {})
    return out.getvalue()


@cache
def flags_of(script: str, *verb: str) -> set[str]:
    """Return the flags in the help of a command."""
    (module,) = re.findall(r'run_module\("(charrnn[\w.]+)"\)', (ROOT / script).read_text(encoding="utf-8"))
    with redirect_stdout(io.StringIO()) as out, pytest.MonkeyPatch.context() as patch, pytest.raises(SystemExit):
        patch.setattr(sys, "argv", [script, *verb, "--help"])
        import_module(module).main()
    return set(re.findall(r"--[a-z][a-z0-9-]+", out.getvalue())) - {"--help"}


def test_space_front_matter_is_valid():
    assert README.startswith("---\n")
    assert set(FRONT_MATTER) <= SPACE_KEYS
    assert FRONT_MATTER["sdk"] == "gradio" and FRONT_MATTER["license"] == "mit"
    assert {FRONT_MATTER["colorFrom"], FRONT_MATTER["colorTo"]} <= COLORS
    assert 0 < len(FRONT_MATTER["short_description"]) <= 60
    assert (ROOT / FRONT_MATTER["app_file"]).is_file()
    assert tuple(map(int, FRONT_MATTER["python_version"].split("."))) >= (3, 11), "numpy has no older wheel"
    pins = dict(line.split("==") for line in (ROOT / "requirements.txt").read_text().split())
    assert FRONT_MATTER["sdk_version"] == pins["gradio"]


SCRIPTS = [*(f"scripts/{path.name}" for path in sorted((ROOT / "scripts").glob("*.py"))), "app.py"]


@pytest.mark.parametrize("script", SCRIPTS)
def test_documented_commands_use_existing_flags(script):
    for words in commands(script):
        if flags := {word for word in words if word.startswith("--")}:
            assert flags <= flags_of(script), f"{script} {' '.join(words)}"


DOCUMENTED = ["scripts/train.py", "scripts/sweep.py", "scripts/sample.py", "app.py"]
DOCUMENTED += [f"scripts/bench.py {verb}" for verb in BENCHES]


@pytest.mark.parametrize("command", DOCUMENTED)
def test_flags_are_documented(command):
    undocumented = {flag for flag in flags_of(*command.split()) if not re.search(rf"{flag}(?![\w-])", DOCUMENTS)}
    assert undocumented == set()


def test_documented_make_targets_exist():
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"^make (\w+)", "\n".join(blocks("bash")), re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_environment_variables_are_documented():
    sources = [path.read_text(encoding="utf-8") for path in [ROOT / "app.py", *(ROOT / "charrnn").rglob("*.py")]]
    names = set(re.findall(r'"((?:CHARRNN|GRADIO_SERVER|GRADIO_ROOT)_[A-Z_]+)"', "\n".join(sources)))
    assert len(names) >= 5 and {name for name in names if name not in DOCUMENTS} == set()


def test_link_parameters_are_documented():
    (table,) = re.findall(r"^\| parameter \|.*?\n\n", PAGES["api.md"], re.DOTALL | re.MULTILINE)
    documented = {name for row in table.strip().splitlines()[2:] for name in re.findall(r"`(\w+)`", row.split("|")[1])}
    script = (ROOT / "charrnn" / "ui" / "sidebar" / "share.js").read_text(encoding="utf-8")
    written = set(re.findall(r'parts\.push\(\["(\w+)"', script)) | {"temperature", "prompt", "characters", "seed"}
    problems = "".join(share_link.parse_link(Store(ROOT / "checkpoints"), dict.fromkeys(documented, "?")).problems)
    assert written <= documented and "there is no setting" not in problems


@pytest.mark.parametrize("page", PAGES)
def test_links_and_pictures_exist(page):
    folder = ROOT if page == "README.md" else ROOT / "docs"
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", PAGES[page]):
        assert "://" in target or (folder / target).is_file(), target
    assert page == "README.md" or f"docs/{page}" in README, "every page is reachable from README.md"


def test_folders_are_described():
    folders = {path.parent.relative_to(ROOT).as_posix() for path in (ROOT / "charrnn").rglob("*.py")}
    described = {folder for folder in folders if f"`{folder}/`" in PAGES["architecture.md"]}
    assert folders - described == set()


def test_tables_match_report():
    for path, text in report.generated_files(ROOT).items():
        assert path.read_text(encoding="utf-8") == text, f"{path.name}: run python scripts/report.py"


def test_tables_ignore_own_checkpoints():
    assert [info.name for info in Records(ROOT).bundled] == list(RECIPES)
    assert set(RECIPES) <= {path.name for path in (ROOT / "checkpoints").iterdir()}


def test_table_section_is_replaced_or_refused():
    text = "a <!-- x:begin --> old <!-- x:end --> b"
    assert report.rewrite(text, {"x": "new"}) == "a <!-- x:begin -->\nnew\n<!-- x:end --> b"
    with pytest.raises(ValueError, match="y:begin"):
        report.rewrite(text, {"y": "new"})


@pytest.mark.parametrize("verb", BENCHES)
def test_benchmarks_were_run_with_defaults(verb):
    record = json.loads((ROOT / "docs" / f"bench_{verb}.json").read_text(encoding="utf-8"))
    defaults = json.loads(json.dumps(vars(run_bench.parser().parse_args([verb]))))  # with lists for tuples
    assert {key: record[key] for key in defaults if key not in ("json", "threads")} == {
        key: value for key, value in defaults.items() if key not in ("json", "threads")
    }


@pytest.mark.parametrize("part", study_parts.PARTS)
def test_study_was_run_with_defaults(part):
    record = json.loads(STUDY.read_text(encoding="utf-8"))[part]
    options = study_flags.study_parser().parse_args([part])
    assert record["settings"] == {name: getattr(options, name) for name in study_parts.PARTS[part].settings}


@pytest.fixture(scope="module")
def command_line_output() -> str:
    (arguments,) = [words for words in commands("scripts/sample.py") if "--prompt" in words]
    with redirect_stdout(io.StringIO()) as out:
        assert sample.main(arguments) == 0
    return out.getvalue()


def test_python_snippet_matches_command_line(command_line_output):
    (snippet,) = [text for text in blocks("python") if "generate" in text]
    assert executed(snippet) == command_line_output


def test_clamp_snippet_matches_package():
    (snippet,) = [text for text in blocks("python") if ".clamped(" in text]
    trained = load(ROOT / "checkpoints" / "lstm")
    clamps = [*(Clamp("f", unit, 1.0) for unit in range(256)), Clamp("c", 91, 1.5)]
    expected = trained.model.decoder().clamped(clamps).prefill(trained.vocab.encode("ROMEO:"))
    assert executed(snippet) == f"{expected.logits}\n"


def test_units_snippet_prints_stored_units():
    (snippet,) = [text for text in blocks("python") if "leaderboards_from_record" in text]
    stored = json.loads((ROOT / "checkpoints/lstm/analyses.json").read_text(encoding="utf-8"))["sections"]["units"]
    best = stored["tables"]["best"]
    rows = zip(*(best[column] for column in ("view", "concept", "unit", "held_out", "percentile")), strict=True)
    expected = [row[1:] for row in rows if row[0] == "h"]
    lines = executed(snippet).splitlines()
    assert len(lines) == len(expected) > 20
    for line, (concept, unit, held_out, untrained) in zip(lines, expected, strict=True):
        score = line.removeprefix(f"{concept} {unit} ").split()[0]
        assert float(score) == pytest.approx(held_out, abs=0.006)
        assert f" {float(untrained)} " in line and line.endswith("found")


@pytest.fixture(scope="module")
def address(tmp_path_factory) -> Iterator[str]:
    """A running app without network access."""
    offline = {"HF_HUB_OFFLINE": "1", "CHARRNN_CACHE": str(tmp_path_factory.mktemp("no-corpus"))}
    with serving(["app.py", "--port"], **offline) as (address, _):
        yield address.rstrip("/")


def test_endpoints_are_documented(address):
    with urllib.request.urlopen(f"{address}/gradio_api/info", timeout=60) as answer:
        names = json.load(answer)["named_endpoints"]
    assert "/write" in names and {name for name in names if name not in PAGES["api.md"]} == set()


def test_client_snippet_matches_command_line(address, command_line_output):
    (snippet,) = [text for text in blocks("python") if "gradio_client" in text]
    assert executed(snippet.replace("http://127.0.0.1:7860", address)) == command_line_output


def test_lab_solution_is_converted_and_loads(tmp_path, monkeypatch, capsys):
    """Run the lines of docs/api.md on a state dict of the lab's solution."""
    text = "To be, or not to be: that is the question."
    (tmp_path / "input.txt").write_text(text)
    solution = run_bench.PlainCharRNN(len(Vocab.from_text(text)), 8)
    torch.save(solution.state_dict(), tmp_path / "solution.pt")
    (lines,) = [text.splitlines() for text in blocks("bash") if "solution.pt" in text]
    convert, write, serve = (shlex.split(line, comments=True) for line in lines)
    monkeypatch.chdir(tmp_path)
    assert (convert[1], write[1:], serve[1:]) == ("-c", ["scripts/sample.py", *write[2:]], ["app.py", *write[2:]])
    executed(convert[2])
    written = run_main(capsys, sample.main, *write[2:], "--prompt", "be", "--chars", 20, "--temperature", 0).out
    vocab = Vocab.from_text(text)
    ids = solution.sample(torch.tensor([vocab.encode("be")]), 20, 1e-6)
    assert written.rstrip("\n") == vocab.decode(ids[0].tolist()).rstrip("\n")
