"""Templates, scripts and styles of the page, served from this machine."""

import importlib.util
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.routes import APIRouter, FileResponse, Response  # pyright: ignore[reportPrivateImportUsage]

UI = Path(__file__).resolve().parents[1]
TYPES = {".js": "text/javascript", ".css": "text/css"}
PLOTLY = "plotly.min.js"


def read(name: str) -> str:
    """Read a template or script of the page."""
    return (UI / name).read_text(encoding="utf-8")


def view(name: str, elem_classes: str, html: str = "") -> gr.HTML:
    """Create a view of the module `name`.js from `html`, by default `name`.html."""
    return gr.HTML(
        html_template=html or read(f"{name}.html"),
        js_on_load=read("components/load_view.js"),
        apply_default_css=False,
        elem_classes=elem_classes,
        module=f"charrnn/{name}.js",
    )


def served() -> dict[str, Path]:
    """Map URL paths to files: scripts and styles of the page, and plotly.js."""
    files = {file.relative_to(UI).as_posix(): file for file in sorted(UI.rglob("*")) if file.suffix in TYPES}
    spec = importlib.util.find_spec("plotly")  # finds the folder without importing the library
    if spec and spec.origin:
        files[PLOTLY] = Path(spec.origin).parent / "package_data" / PLOTLY
    return files


def routes() -> list[Any]:
    """Return the routes below /charrnn/."""
    router, files = APIRouter(), served()

    @router.get("/charrnn/{path:path}", include_in_schema=False)
    def asset(path: str) -> Response:
        file = files.get(path)
        if file is None:
            return Response(status_code=404)
        cache_control = "public, max-age=86400" if path == PLOTLY else "no-cache"
        return FileResponse(file, media_type=TYPES[file.suffix], headers={"Cache-Control": cache_control})

    return router.routes
