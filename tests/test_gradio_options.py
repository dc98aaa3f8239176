"""No Gradio option opens the page further."""

import ast
from pathlib import Path
from typing import Any

import pytest

from tests.test_architecture import ROOT, plant, sources

# What a keyword of Gradio's may be; where it is not named, the default of the library is the same.
KEPT: dict[str, Any] = {
    "share": False,
    "show_error": False,
    "enable_monitoring": False,
    "strict_cors": True,
    "api_open": False,
    "run_history": False,
    "mcp_server": False,
    "debug": False,
    "auth": None,
    "allowed_paths": [],
    "server_functions": [],
}
SERVES = {"launch", "queue", "Blocks", "HTML", "mount_gradio_app"}
OPENS = {"load", "File", "FileExplorer", "UploadButton", "Image", "Audio", "Video", "ImageEditor", "MultimodalTextbox"}


def opening_findings(root: Path) -> list[str]:
    """Where the project could open the page further, one line each."""
    findings = []
    for path in sources(root):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            found = []
            if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "gr" and node.attr in OPENS:
                found = [ast.unparse(node)]
            elif isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in SERVES:
                keywords = [each for each in node.keywords if each.arg in KEPT]
                found = [ast.unparse(each) for each in keywords if is_other(each.value, KEPT[each.arg or ""])]
            findings += [f"{path.relative_to(root).as_posix()}: {each}" for each in found]
    return findings


def is_other(node: ast.expr, kept: Any) -> bool:
    """Whether it is not plainly that value."""
    try:
        return ast.literal_eval(node) != kept
    except ValueError:
        return True


def test_page_opens_nothing_further():
    assert opening_findings(ROOT) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("demo.launch(share=True)", "share=True"),
        ("demo.launch(show_error=is_local)", "show_error=is_local"),
        ("demo.launch(allowed_paths=['/'])", "allowed_paths=['/']"),
        ("demo.launch(strict_cors=False)", "strict_cors=False"),
        ("demo.queue(api_open=True)", "api_open=True"),
        ("gr.load('owner/space')", "gr.load"),
        ("with gr.Blocks():\n    gr.FileExplorer()", "gr.FileExplorer"),
        ("upload = gr.File", "gr.File"),
    ],
)
def test_opening_is_found(tmp_path: Path, text: str, found: str):
    assert opening_findings(plant(tmp_path, {"charrnn/ui/page.py": text})) == [f"charrnn/ui/page.py: {found}"]


def test_closed_options_are_no_findings(tmp_path: Path):
    text = (
        "demo.launch(share=False, show_error=False, allowed_paths=[])\nmodel.load('x')\ngr.HTML('')\nlend(share=True)"
    )
    assert opening_findings(plant(tmp_path, {"charrnn/ui/page.py": text})) == []


def test_page_names_options_that_close_it():
    serving = [(ROOT / "charrnn" / "ui" / name).read_text(encoding="utf-8") for name in ("launch.py", "page.py")]
    said = {node.arg for text in serving for node in ast.walk(ast.parse(text)) if isinstance(node, ast.keyword)}
    assert {"share", "show_error", "enable_monitoring", "strict_cors", "run_history", "api_open"} <= said
