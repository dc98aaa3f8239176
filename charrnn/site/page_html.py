"""The HTML of the static page, laid out as the app lays it out."""

import re
from collections.abc import Iterable, Mapping, Sequence
from html import escape

from charrnn.ui import tabs
from charrnn.ui.components.tab_contents import MODULE, tab_contents
from charrnn.ui.server.share_link import TABS
from charrnn.ui.server.static_files import read
from charrnn.ui.server.streaming import Part

# 'wasm-unsafe-eval': the engine compiles WebAssembly. Style attributes place marks and bars.
POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; connect-src 'self'; "
    "style-src 'self' 'unsafe-inline'; img-src data: blob:; base-uri 'none'; form-action 'none'"
)

STYLESHEET = '<link rel="stylesheet" href="charrnn/page.css">'
DARK_MODE = '<script src="charrnn/dark_mode.js"></script>'
SCRIPT = '<script defer src="charrnn/page.js"></script>'


def stylesheets() -> list[str]:
    """Return the names of the page's stylesheets, in their order."""
    return [*re.findall(r'rel="stylesheet" href="charrnn/([^"]+)"', read("components/head.html")), "site/site.css"]


def view_modules(html: str) -> list[str]:
    """Return the names of the modules of a page's views."""
    return sorted({f"{name}.js" for name in re.findall(r'data-module="([^"]+)"', html)})


def page_html(parts: Mapping[str, Sequence[Part]]) -> str:
    """Return the page. parts: the views of each tab but the first."""
    opening = _view("write/opening", "write/opening", read("write/opening.html"), "cr-opening-view")
    views = {"write": [opening, _view("write/view", "write/view", read("write/view.html"))]}
    views |= {name: [*_contents(name, parts[name]), *map(_part, parts[name])] for name in parts}
    buttons = "".join(_tab_button(name) for name in views)
    panels = "\n".join(_tab_panel(name, views[name]) for name in views)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
{read("components/link_preview.html").rstrip()}
<title>Char-RNN Lab</title>
<link rel="icon" href="data:,">
{STYLESHEET}
{SCRIPT}
</head>
<body>
{DARK_MODE}
<div class="gradio-container">
<main class="main fillable">
<div class="cr-header">{read("components/header.html")}</div>
{_view("lecture/lecture", "lecture/lecture", read("lecture/lecture.html"), "cr-lecture-view")}
<div class="cr-page">
<div class="column cr-aside">
{_view("sidebar/sidebar", "sidebar/sidebar", read("sidebar/sidebar.html"), "cr-left")}
</div>
<div class="column cr-main cr-tabs">
<div class="tab-wrapper"><div class="tab-container" role="tablist" aria-label="Views">{buttons}</div></div>
{panels}
</div>
</div>
</main>
</div>
</body>
</html>
"""


def _tab_button(name: str) -> str:
    first = "true" if TABS[name] == tabs.WRITE else "false"
    attributes = f'id="cr-tab-{name}-button" aria-controls="cr-tab-{name}" aria-selected="{first}"'
    return f'<button type="button" role="tab" {attributes}>{escape(TABS[name])}</button>'


def _tab_panel(name: str, views: Iterable[str]) -> str:
    hidden = "" if TABS[name] == tabs.WRITE else " hidden"
    attributes = f'id="cr-tab-{name}" role="tabpanel" aria-labelledby="cr-tab-{name}-button"{hidden}'
    return f'<div class="tabitem" {attributes}>\n{chr(10).join(views)}\n</div>'


def _contents(name: str, parts: Sequence[Part]) -> list[str]:
    """Return the view of the links to the parts of a tab, if it has them."""
    html = tab_contents(parts)
    return [_view(MODULE, f"{MODULE}/{name}", html)] if html else []


def _part(part: Part) -> str:
    shown = _view(part.name, part.id, read(f"{part.template or part.name}.html"))
    return f'<div class="column cr-part" id="{part.elem_id}">\n{shown}</div>'


def _view(module: str, id: str, html: str, classes: str = "cr-view") -> str:
    return f'<div class="{classes}" data-module="{module}" data-view="{id}">\n{html}</div>'
