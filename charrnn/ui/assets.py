"""The scripts and styles the page asks for, all served from this machine."""

import importlib.util
from pathlib import Path
from typing import Any

from gradio.routes import APIRouter, FileResponse, Response  # pyright: ignore[reportPrivateImportUsage]

HERE = Path(__file__).parent
TYPES = {".js": "text/javascript", ".css": "text/css"}
PLOTLY = "plotly.min.js"


def read(name: str) -> str:
    """A template or script below this folder."""
    return (HERE / name).read_text(encoding="utf-8")


def find(path: str) -> Path | None:
    """The file this address means: a script or style below this folder, or the one plotly brings; else None."""
    if path == PLOTLY:
        spec = importlib.util.find_spec("plotly")  # finds the folder without importing the library
        return Path(spec.origin).parent / "package_data" / PLOTLY if spec and spec.origin else None
    file = (HERE / path).resolve()
    return file if file.suffix in TYPES and file.is_relative_to(HERE) and file.is_file() else None


def routes() -> list[Any]:
    """What the server answers below /charrnn/."""
    router = APIRouter()

    @router.get("/charrnn/{path:path}", include_in_schema=False)
    def asset(path: str) -> Response:
        file = find(path)
        if file is None:
            return Response(status_code=404)
        keep = "public, max-age=86400" if path == PLOTLY else "no-cache"
        return FileResponse(file, media_type=TYPES[file.suffix], headers={"Cache-Control": keep})

    return router.routes
