"""Build the static page of small networks, as a folder and as one file."""

import gzip
import hashlib
import json
import re
from base64 import b85decode
from pathlib import Path

import pytest

from charrnn.commands import site as command
from charrnn.corpus import cache_path, cached_tiny_shakespeare
from charrnn.site import Site, single_file
from charrnn.site.build import WORKER
from charrnn.site.bundle import bundle, modules_of
from charrnn.site.kept_answers import KEPT, key_of
from charrnn.ui.components.tab_contents import MODULE, tab_contents
from charrnn.ui.gradients.saliency import saliencies
from charrnn.ui.page import ANALYSIS_TABS
from charrnn.ui.server.checkpoint_store import Store
from charrnn.ui.server.static_files import served
from charrnn.ui.server.text_calls import TextCalls, TextRequest
from charrnn.ui.server.view_query import ViewQuery
from tests.node import node_json, run_node
from tests.replaced_phrases import replaced_phrases
from tests.trained_checkpoints import TEXT


@pytest.fixture(scope="module")
def manifest(site: Site) -> dict:
    return json.loads(site.files["charrnn/site.json"])


def unpacked(site: Site, name: str):
    return json.loads(gzip.decompress(site.files[f"charrnn/{name}"]))


def test_page_loads_only_files_of_the_site(site: Site):
    linked = re.findall(r'(?:href|src)="([^"]+)"', site.html)
    assert {name for name in linked if name.startswith("charrnn/")} <= site.files.keys()
    others = {name for name in linked if not name.startswith(("charrnn/", "#", "?", "data:,"))}
    assert all(name.startswith("https://") for name in others), "only links that a reader follows"


def test_every_view_of_the_app_is_on_the_page(site: Site, site_root: Path):
    tabs = {name: tab(Store(site_root)) for name, tab in ANALYSIS_TABS.items()}
    parts = [part for tab in tabs.values() for part in tab]
    contents = [f"{MODULE}/{name}" for name, tab in tabs.items() if tab_contents(tab)]
    shown = re.findall(r'data-view="([^"]+)"', site.html)
    others = ["lecture/lecture", "sidebar/sidebar", "write/opening", "write/view", *contents]
    assert sorted(shown) == sorted([part.id for part in parts] + others)
    assert KEPT.keys() <= {part.id for part in parts}


def test_kept_answers_are_in_their_files(site: Site, manifest: dict):
    for part in manifest["kept"].values():
        for name in part["files"].values():
            assert all(message for message in unpacked(site, name))
    assert unpacked(site, "kept/scene-1.bin")["at"] == 1


def test_replaced_phrases_are_in_no_file(site: Site):
    """In the page, its scripts, its list of scenes and models, and all kept answers."""
    kept = {name: gzip.decompress(content) for name, content in site.files.items() if "/kept/" in name}
    scripts = {name: site.files[f"charrnn/{name}"] for name in ("page.js", "site.json")}
    files = {"page": site.html.encode()} | scripts | kept
    found = {name: replaced_phrases(content.decode("utf-8", "surrogatepass")) for name, content in files.items()}
    assert len(kept) > 30 and {name: phrases for name, phrases in found.items() if phrases} == {}


def test_kept_saliencies_are_those_of_the_app(site: Site, manifest: dict, site_root: Path):
    (kept,) = unpacked(site, manifest["kept"]["gradients/saliency"]["files"]["[]"])
    store, names = Store(site_root), ["rnn", "lstm"]
    pair = {side: {"checkpoint": {"name": name, "step": None}} for side, name in zip("AB", names, strict=True)}
    query = ViewQuery.from_page({"number": 0, "width": 860, "form": pair | {"position": 5}})
    messages = [json.loads(text) for text in saliencies(store, query, lambda: True)]
    source = kept["source_of"][names[0]]
    assert messages[0]["text"] == kept["sources"][source]["text"]
    for side, name in enumerate(names):
        rows = {
            target: row for part in messages for target, row in zip(part["targets"], part["heat"][side], strict=True)
        }
        assert kept["heat"][name][source] == [rows[target] for target in sorted(rows)]


def test_every_saved_step_has_a_network(site: Site, manifest: dict, site_root: Path):
    infos = {info.name: info.saved_steps for info in Store(site_root).checkpoints()}
    assert {name: [int(step) for step in steps] for name, steps in manifest["networks"].items()} == infos
    files = [name for steps in manifest["networks"].values() for name in steps.values()]
    assert len(set(files)) == len(files) and {f"charrnn/{name}" for name in files} <= site.files.keys()


def test_page_opens_on_the_text_of_its_first_call(site: Site, site_root: Path):
    kept = unpacked(site, "kept/opening.bin")
    answer = TextCalls(Store(site_root)).answer(TextRequest.model_validate(kept["call"]))
    assert kept["answer"] == json.loads(json.dumps(answer))


def test_page_and_builder_key_queries_alike():
    forms = [{"knob": 1.0}, {"knob": 1.4}, {"view": "", "unit": 3}, {"view": 'ħ\n"', "unit": 0}, {}]
    queries = [{"checkpoint": {"name": "my <b>net", "step": 12}, "form": form} for form in forms]
    orders = [["validation", "train", "gradient norm"], ["train", "gradient norm", "validation"]]
    queries += [{"form": {}}, *({"form": {"parts": parts}} for parts in orders)]
    fields = ["checkpoint", "name", "knob", "view", "unit", "parts", "width"]
    widths = (120, 339, 340, 559, 560, 860, 4000, 900)
    queries = [query | {"width": width} for query, width in zip(queries, widths, strict=True)]
    script = "import('../../charrnn/ui/site/kept_answers.js').then(({ keyOf }) => "
    script += f"console.log(JSON.stringify({json.dumps(queries)}.map((query) => keyOf({fields}, query)))))"
    done = run_node("-e", script)
    keys = [key_of(fields, query) for query in queries]
    assert json.loads(done.stdout) == keys, done.stderr
    assert keys[-1] == keys[-2], "checked boxes are a set"


def test_bundled_modules_export_what_the_modules_do():
    files = {name: path.read_bytes() for name, path in served().items()}
    entries = [WORKER, "session/session.js", "site/kept_answers.js"]
    names = modules_of(entries, files)
    found = node_json("run_module_exports.mjs", {"modules": names, "bundle": bundle(entries, files)})
    assert found.keys() == set(names) and all(imported == bundled for imported, bundled in found.values())


def test_single_file_holds_every_file_and_loads_none(site: Site):
    html = single_file(site)
    assert not re.search(r'(?:href|src)="charrnn/', html)
    packed = dict(re.findall(r'<script type="text/plain" data-file="([^"]+)">([^<]*)</script>', html))
    for name, text in packed.items():
        content = b85decode(text.replace(".", "<"))
        original = site.files.get(f"charrnn/{name}")
        if name.endswith(".bin"):
            assert content == original
        elif original is not None:
            assert gzip.decompress(content) == original
    assert packed.keys() >= {"modules", "site.json", "plotly.min.js"}


@pytest.mark.parametrize("flags", [[], ["out", "--single-file", "lab.html"], ["out", "--networks", "nosuch"]])
def test_wrong_flags_are_refused(flags: list[str], trained: Path, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as stopped:
        command.parse([*flags, "--checkpoints", str(trained)])
    assert stopped.value.code == 2 and capsys.readouterr().err


def test_files_of_others_are_not_replaced(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "folder").mkdir()
    for name in ("folder/theirs.txt", "page.html"):
        (tmp_path / name).write_text("theirs")
    assert command.main([str(tmp_path / "folder")]) == 1
    assert command.main(["--single-file", str(tmp_path / "page.html")]) == 1
    assert command.main([str(tmp_path / "page.html")]) == 1
    assert "give a new" in capsys.readouterr().err
    assert (tmp_path / "folder/theirs.txt").read_text() == (tmp_path / "page.html").read_text() == "theirs"


def test_site_of_one_network_replaces_an_older_one(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    flags = ["--checkpoints", str(trained), "--networks", "gru"]
    out, page = tmp_path / "site", tmp_path / "lab.html"
    (out / "charrnn").mkdir(parents=True)
    for name in ("index.html", "charrnn/site.json", "charrnn/old.js"):
        (out / name).write_text("old")
    assert command.main([str(out), *flags]) == 0 and command.main(["--single-file", str(page), *flags]) == 0
    assert not (out / "charrnn/old.js").exists() and "http.server" in capsys.readouterr().out
    assert [model["name"] for model in json.loads((out / "charrnn/site.json").read_text())["models"]["models"]] == [
        "gru"
    ]
    built, corpus = page.read_bytes(), TEXT * 60
    monkeypatch.setenv("CHARRNN_CACHE", str(tmp_path))
    monkeypatch.setattr("charrnn.corpus.TINY_SHAKESPEARE_SHA256", hashlib.sha256(corpus.encode()).hexdigest())
    cache_path().write_text(corpus)
    assert cached_tiny_shakespeare() == corpus
    assert command.main(["--single-file", str(page), *flags]) == 0, "a page that was built is replaced"
    assert page.read_bytes() == built, "whatever the cache holds"
