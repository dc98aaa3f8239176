"""The static page as one HTML file, which needs no further requests."""

import base64
import gzip
import hashlib
from pathlib import Path

from charrnn.site.build import Site
from charrnn.site.page_html import DARK_MODE, SCRIPT, STYLESHEET
from charrnn.ui.server.static_files import PLOTLY, read

MARK = "<title>Char-RNN Lab</title>"
MARK_BYTES = 4096  # at the start of a page, which contain the mark


def single_file(site: Site) -> str:
    """Return the page with all of its files inside, compressed."""
    files = {name.removeprefix("charrnn/"): content for name, content in site.files.items()}
    dark_mode, boot = files["dark_mode.js"].decode(), read("site/single_file.js")
    data = {name: content for name, content in files.items() if name.endswith((".bin", ".json"))}
    data |= {PLOTLY: files[PLOTLY], "modules": site.modules.encode()}
    allowed = " ".join(["blob:", *(f"'sha256-{_sha256(script)}'" for script in (dark_mode, boot))])
    html = site.html.replace("'self'", allowed, 1).replace("'self'", "blob:")  # script-src comes first
    packed = "".join(_element(name, content) for name, content in data.items())
    for link, content in (
        (STYLESHEET, f"<style>{files['page.css'].decode()}</style>"),
        (DARK_MODE, f"<script>{dark_mode}</script>"),
        (SCRIPT, f"{packed}<script>{boot}</script>"),
    ):
        html = html.replace(link, content)
    return html


def is_single_file(path: Path) -> bool:
    """Check whether a file is a page that `single_file` returned."""
    with path.open("rb") as file:
        return MARK.encode() in file.read(MARK_BYTES)


def _element(name: str, content: bytes) -> str:
    """Return a file as an element that the browser does not run."""
    packed = content if name.endswith(".bin") else gzip.compress(content, 9, mtime=0)
    text = base64.b85encode(packed).decode().replace("<", ".")  # no "<" within a script element
    return f'<script type="text/plain" data-file="{name}">{text}</script>\n'


def _sha256(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
