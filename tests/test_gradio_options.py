"""No Gradio option opens the page further."""

import ast
from pathlib import Path
from typing import Any

import pytest

from tests.test_architecture import ROOT, plant, sources

# Allowed values of Gradio's keywords, which are the defaults of the library too.
ALLOWED: dict[str, Any] = {
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
    """List calls that could open the page further."""
    findings = []
    for path in sources(root):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            found = []
            if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "gr" and node.attr in OPENS:
                found = [ast.unparse(node)]
            elif isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in SERVES:
                keywords = [keyword for keyword in node.keywords if keyword.arg in ALLOWED]
                found = [
                    ast.unparse(keyword) for keyword in keywords if differs(keyword.value, ALLOWED[keyword.arg or ""])
                ]
            findings += [f"{path.relative_to(root).as_posix()}: {name}" for name in found]
    return findings


def differs(node: ast.expr, allowed: Any) -> bool:
    """Return whether an expression is not literally this value."""
    try:
        return ast.literal_eval(node) != allowed
    except ValueError:
        return True


def test_page_opens_nothing_further():
    assert opening_findings(ROOT) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("demo.launch(share=False, allowed_paths=[])\nmodel.load('x')\ngr.HTML('')\nlend(share=True)", ""),
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
    expected = [f"charrnn/ui/page.py: {found}"] if found else []
    assert opening_findings(plant(tmp_path, {"charrnn/ui/page.py": text})) == expected


def test_page_names_options_that_close_it():
    serving = [(ROOT / "charrnn" / "ui" / name).read_text(encoding="utf-8") for name in ("gradio_server.py", "page.py")]
    named = {node.arg for text in serving for node in ast.walk(ast.parse(text)) if isinstance(node, ast.keyword)}
    assert {"share", "show_error", "enable_monitoring", "strict_cors", "run_history", "api_open"} <= named
