"""
The static page as one HTML file, which opens from a disk and in an iframe without further requests.

Modules cannot be imported there: a page without an origin may not load them from its worker. So they become functions
of one script, which the worker runs too.
"""

import base64
import gzip
import hashlib
import json
import re
from pathlib import Path

from charrnn.site.build import ENTRIES, Site, imports_of, modules_of

MARK = "<title>Char-RNN Lab</title>"
MARK_BYTES = 4096  # of a page, in which the mark is
MAIN, WORKER, BOOT = "site/main.js", "engine/worker.js", "site/single_file.js"
IMPORT = re.compile(r'^import \{ ([^}]*) \} from "([^"]+)";$', re.MULTILINE)
EXPORT = re.compile(r"^export (const|class|(?:async )?function\*?) (\w+)", re.MULTILINE)


def single_file(site: Site) -> str:
    """Return the page with all of its files inside, compressed."""
    files = {name.removeprefix("charrnn/"): content for name, content in site.files.items()}
    html = re.sub(r'<link rel="modulepreload"[^>]*>\n?', "", site.html)
    views = {f"{name}.js" for name in re.findall(r'data-module="([^"]+)"', html)}
    modules = modules_of([*ENTRIES, *sorted(views), WORKER], files)
    scripts = {name: as_function(name, files[name].decode()) for name in modules}
    theme, boot = files["site/theme.js"].decode(), files[BOOT].decode()
    data = {name: content for name, content in files.items() if name.endswith((".bin", ".json"))}
    data |= {"plotly.min.js": files["plotly.min.js"], "modules": bundle(scripts).encode()}
    allowed = " ".join(["blob:", *(f"'sha256-{_sha256(script)}'" for script in (theme, boot))])
    html = html.replace("'self'", allowed, 1).replace("'self'", "blob:")  # script-src comes first
    html = re.sub(
        r'<link rel="stylesheet" href="charrnn/([^"]+)">',
        lambda link: f"<style>{files[link[1]].decode()}</style>",
        html,
    )
    html = html.replace('<script src="charrnn/site/theme.js"></script>', f"<script>{theme}</script>")
    packed = "".join(_element(name, content) for name, content in data.items())
    return html.replace(f'<script type="module" src="charrnn/{MAIN}"></script>', f"{packed}<script>{boot}</script>")


def is_single_file(path: Path) -> bool:
    """Check whether a file is a page that `single_file` returned."""
    with path.open("rb") as file:
        return MARK.encode() in file.read(MARK_BYTES)


def bundle(scripts: dict[str, str]) -> str:
    """Return a script that defines `charrnnModule(name)`, which gives the exports of a module."""
    table = ",\n".join(f"{json.dumps(name)}: {source}" for name, source in scripts.items())
    return (
        f'"use strict";\nconst sources = {{\n{table}\n}};\nconst loaded = new Map();\n'
        "globalThis.charrnnModule = (name) => {\n"
        "  if (!loaded.has(name)) loaded.set(name, sources[name](charrnnModule));\n"
        "  return loaded.get(name);\n};\n"
    )


def as_function(name: str, source: str) -> str:
    """Rewrite a module as a function of `use`, the function that gives another module's exports, to its exports."""
    paths = dict(imports_of(name, source))

    def imported(match: re.Match) -> str:
        names = match[1].replace(" as ", ": ")
        return f"const {{ {names} }} = use({json.dumps(paths[match[2]])});"

    exports = [found[2] for found in EXPORT.finditer(source)]
    body = EXPORT.sub(r"\1 \2", IMPORT.sub(imported, source))
    awaits = "async " if re.search(r"^(?:const \w+ = )?await ", source, re.MULTILINE) else ""
    return f"{awaits}(use) => {{\n{body}\nreturn {{ {', '.join(exports)} }};\n}}"


def _element(name: str, content: bytes) -> str:
    """Return a file as an element that the browser does not run."""
    packed = content if name.endswith(".bin") else gzip.compress(content, 9, mtime=0)
    text = base64.b85encode(packed).decode().replace("<", ".")  # no "<" within a script element
    return f'<script type="text/plain" data-file="{name}">{text}</script>\n'


def _sha256(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
