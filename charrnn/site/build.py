"""Build the static page from the app's modules, checkpoints and their analyses."""

import gzip
import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from shutil import copytree, ignore_patterns
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlencode

from charrnn.checkpoint import STEPS, CheckpointError
from charrnn.export.network_file import pack_network
from charrnn.site.bundle import bundle
from charrnn.site.kept_answers import KEPT, SMALL, KeptAnswers
from charrnn.site.page_html import page_html, stylesheets, view_modules
from charrnn.ui.lecture.lecture import scene_messages
from charrnn.ui.lecture.scenes import SCENES
from charrnn.ui.page import ANALYSIS_TABS
from charrnn.ui.server.checkpoint_store import LoadedModel, Store
from charrnn.ui.server.generation_defaults import prompt_for
from charrnn.ui.server.link_schema import link_schema
from charrnn.ui.server.opening import Opening, find_opening
from charrnn.ui.server.share_link import DEFAULTS
from charrnn.ui.server.static_files import PLOTLY, served
from charrnn.ui.server.text_calls import TextCalls, TextRequest
from charrnn.ui.sidebar.sidebar import describe_models

PAGE = "index.html"
MAIN, LIVE, WORKER = "site/main.js", "site/live_answers.js", "engine/worker.js"
SAMPLING = ("temperature", "top_k", "top_p", "min_p")


@dataclass(frozen=True)
class Site:
    """The page of a site, its other files by path, and its modules as one script."""

    html: str
    files: dict[str, bytes]
    modules: str

    def all_files(self) -> dict[str, bytes]:
        """Return the page and its files by path."""
        return {PAGE: self.html.encode(), **self.files}

    def write(self, out: Path) -> None:
        """Write the page and its files below a folder. Raises OSError."""
        for name, content in self.all_files().items():
            path = out / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)


def build_site(root: Path, notify: Callable[[str], None] = lambda line: None, small: bool = False) -> Site:
    """
    Build the site of the checkpoints in a folder.

    Analyses that are not saved beside a checkpoint are computed, which takes minutes for large networks. notify: called
    with lines of progress. small: keep fewer answers, for a single file. Raises CheckpointError without a checkpoint.
    """
    store = Store(root, corpus=lambda: None)  # the same files whether the corpus is in the cache or not
    if not (infos := store.checkpoints()):
        raise CheckpointError(store.empty_reason())
    parts = {name: tab(store) for name, tab in ANALYSIS_TABS.items()}
    kept = KeptAnswers(SMALL if small else KEPT)
    for part in [part for tab in parts.values() for part in tab]:
        kept.add(part, store, notify)
    data = {name: compressed(messages) for name, messages in kept.files.items()}
    networks: dict[str, dict[int, str]] = {}
    for info in infos:
        notify(f"{info.name} …")
        for step in info.saved_steps:
            name = networks.setdefault(info.name, {})[step] = f"networks/{len(data)}.bin"
            data[name] = _network(store.load(info.name, step))
    opening = find_opening(store)
    data["kept/opening.bin"] = compressed({} if small else first_call(store, opening))  # a file has the network at once
    scenes = list(scene_messages(store))
    for number, (_, answer) in enumerate(scenes, start=1):
        data[f"kept/scene-{number}.bin"] = compressed(answer)
    site = {
        "models": json.loads(describe_models(store, store.load())),
        "link": link_schema(store, [scene.sets for scene in SCENES]),
        "opening": opening and opening.to_json() | {"link": urlencode(opening.link)},
        "scenes": [scene for scene, _ in scenes],
        "networks": networks,
        "kept": kept.parts,
    }
    data["site.json"] = json.dumps(site, ensure_ascii=False, separators=(",", ":")).encode()
    html, sources = page_html(parts), {name: path.read_bytes() for name, path in served().items()}
    modules = bundle([MAIN, LIVE, *view_modules(html), WORKER], sources)
    data |= {
        "page.js": (modules + sources["site/folder.js"].decode()).encode(),
        "worker.js": f'{bundle([WORKER], sources)}charrnnModule("{WORKER}");\n'.encode(),
        "page.css": b"".join(sources[name] for name in stylesheets()),
        "dark_mode.js": sources["site/dark_mode.js"],
        PLOTLY: sources[PLOTLY],
    }
    return Site(html, {f"charrnn/{name}": content for name, content in data.items()}, modules)


def first_call(store: Store, opening: Opening | None) -> dict[str, Any]:
    """Return the page's first call and its answer, shown until a network is loaded."""
    loaded = store.load(opening.info.name if opening else None)
    call = {name: DEFAULTS[name] for name in SAMPLING} | {
        "clamps": [],
        "recurrent_scale": 1,
        "checkpoint": {"name": loaded.info.name, "step": loaded.checkpoint.step},
        "view": opening.view if opening else "",
        "seed": DEFAULTS["seed"],
        "text": prompt_for(loaded, DEFAULTS["prompt"]),
        "edits": [],
        "start": 0,
        "count": DEFAULTS["characters"],
    }
    call["prompt"] = len(call["text"])
    return {"call": call, "answer": TextCalls(store).answer(TextRequest.model_validate(call))}


def compressed(value: Any) -> bytes:
    """Encode a value as gzip-compressed JSON, the same bytes on every run."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return gzip.compress(text.encode("utf-8", "surrogatepass"), 9, mtime=0)


def _network(loaded: LoadedModel) -> bytes:
    views = {name: view.to_json() for name, view in loaded.views().items()}
    packed = pack_network(loaded.checkpoint.model, model=loaded.metadata(), views=views)
    return gzip.compress(packed, 9, mtime=0)


@contextmanager
def selected_checkpoints(root: Path, names: Iterable[str], steps: bool = False) -> Iterator[Path]:
    """
    Copy some checkpoints into a folder that is deleted afterwards.

    steps: copy their earlier training steps too. Raises OSError.
    """
    ignored = ["training.safetensors", *([] if steps else [STEPS])]
    with TemporaryDirectory(prefix="charrnn-") as folder:
        target = Path(folder) / root.resolve().name
        for name in names:
            copytree(root / name, target / name, ignore=ignore_patterns(*ignored))
        yield target
