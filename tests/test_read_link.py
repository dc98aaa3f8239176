"""Links read by the page, compared with those read by the server."""

import json
import random
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, quote_plus, urlencode

import pytest

from charrnn.ui.lecture.lecture import initial_value, open_link
from charrnn.ui.lecture.scenes import SCENES
from charrnn.ui.server.checkpoint_store import Store
from charrnn.ui.server.link_schema import link_schema
from charrnn.ui.server.share_link import HIDEABLE, ROWS, TABS, LinkQuery
from charrnn.ui.sidebar.sidebar import describe_models
from tests.node import node_json
from tests.test_share_link import INVALID

pytestmark = pytest.mark.usefixtures("no_corpus")

TEXT = "To be, or not\r\nto be: that\ris 100% + “the question” & more; \\ 🙂 é\t'x'\n"
FOREIGN = [("utm_source", "mail"), ("__a\nb", ""), ("toString", "1"), ("", "x"), ("temprature", "0.3")]
VALUES = {  # invalid ones
    "temperature": ("-0.1", "2.5", "3e", "0x1", "1_0", " 1", "１", "infinity"),
    "top_k": ("0.5", f"{2**31}"),
    "top_p": ("0", "1.01"),
    "min_p": ("-1", "1,5"),
    "speed": ("0.5", "1001"),
    "seed": ("0.5", "-1", f"{2**32}", "9" * 20),
    "characters": ("0", "0.5", "3001"),
    "step": ("0.5", "-1", f"{2**53}"),
    "knob": ("0.49", "1.61"),
    "scene": ("0", "-1", "0.5", "10"),
    "model": (
        "it's",
        'say "it\'s"',
        "a\nb\\\t\x00\x7f\xa0\u2028\ue000",
        "\x01\u0600\U000e0001",
        "🙂" * 40,
        "constructor",
    ),
    "prompt": ("\r\n" * 1001, "🙂" * 1001),
    "read": ("é" * 5001,),
    "edits": ("1:a;2:b", "1:", "-1:a", "2:b,3000:a", "1:a," * 500 + "2:b"),
    "tab": ("Write", "toString"),
    "view": ("__proto__", "H"),
    "change": ("true",),
    "lecture": ("yes",),
    "range": ("0-0", "123456-1", "5", "5-4-3", "٣-٤"),
    "unit": ("constructor:1", "h:٣", "h:1234567", "h:-1"),
    "color": ("", "None", "h:", "constructor:1", "h:٣"),
    "clamp": (
        *("__proto__:all:0", "h:1:", "h:1:x", "h:1:0,", "h:1:0,h", "h:1:-1.5", "f:2:0"),
        *("h:1:0,h:2:0,h:1:1", "h:all:0,h:1:0,h:all:1"),
    ),
    "tick": ("a,b,c,d", "rnn, gru", f"{'m' * 28},{'m' * 29}", "".join(map(chr, range(97, 137)))),
    "hide": ("write,model,Share", "constructor"),
    "a": ("rnn:", "rnn:7", ":0", "nobody:0", "gru:00"),
    "b": ("constructor",),
    "a_top_k": ("-1",),
    "ab_characters": ("1001",),
    "ab_prompt": ("🙂" * 1001,),
    "sha": ("ABCDEF01", "0123456", "0123456789abcdef"),
}
BROKEN = [(name, value) for name, value, _ in INVALID] + [(name, value) for name in VALUES for value in VALUES[name]]
# The page shows a number as it was typed, and a list as text.
REWORDED = [
    ("temperature", "1e5"),
    ("temperature", "0.0000001"),
    ("characters", "+0"),
    ("temperature", "NaN"),
    ("seed", "9" * 41),
]
REWORDED += [("clamp", ",".join(["h:1:0"] * 9))]


@pytest.fixture(scope="module")
def page(store) -> dict[str, Any]:
    """The data of the page: the schema of links and the models."""
    models = json.loads(describe_models(store, store.load()))["models"]
    return {"schema": link_schema(store, [scene.sets for scene in SCENES]), "models": models}


def read_by_server(store: Store, search: str) -> dict[str, Any]:
    """Read a link as the server does, in the form of readLink."""
    link = open_link(store, dict(parse_qsl(search.removeprefix("?"), keep_blank_values=True)))
    value = json.loads(initial_value(store, link))
    shown = {"hidden": value["hide"], "lecture": value["lecture"], "scene": value["at"], "notice": link.notice()}
    loaded = {"name": link.query.model, "step": link.query.step}
    return json.loads(json.dumps({"link": link.to_json(), "loaded": loaded, **shown}))


def read_by_page(page: Mapping[str, Any], searches: list[str]) -> list[dict[str, Any]]:
    """Read links as the page does."""
    return node_json("run_read_link.mjs", {**page, "searches": searches})


def random_parameters(store: Store, rng: random.Random) -> dict[str, str]:
    """Draw a valid link: about half of all parameters."""
    info = rng.choice(store.checkpoints())
    units = store.load(info.name).units
    name, all_units = rng.choice([*units.items()])
    names = [each.name for each in store.checkpoints()]
    text = "".join(rng.choices(TEXT, k=rng.randrange(1, 60)))
    edits = [f"{rng.randrange(3000)}:{character}" for character in rng.choices(TEXT, k=rng.randrange(1, 9))]
    places = {
        f"{name}:{rng.choice(['all', str(rng.randrange(all_units))])}"
        for name in rng.choices([*units], k=rng.randrange(1, 5))
    }
    clamps = [f"{place}:{rng.choice(['0', '1', '.5', '+0.25', '1e-3'])}" for place in sorted(places)]
    first = rng.randrange(1, 100)
    values = {
        "temperature": rng.choice(["0", "-0", "1e-6", f"{rng.uniform(0.1, 2):.3f}", "2."]),
        "top_k": rng.choice(["0", "12", "+7", "40.0"]),
        "top_p": rng.choice(["1", ".9", f"{rng.random() + 1e-9}"]),
        "min_p": rng.choice(["0", "0.05", "1E-2"]),
        "prompt": text,
        "seed": str(rng.randrange(2**32)),
        "step": str(rng.choice(info.saved_steps)),
        "speed": rng.choice(["0", "1", "12.5", "1000"]),
        "characters": str(rng.randrange(1, 3001)),
        "read": rng.choice(["", text]),
        "edits": ",".join(edits),
        "tab": rng.choice([*TABS]),
        "view": name,
        "change": rng.choice("01"),
        "rows": rng.choice(ROWS),
        "range": f"{first}-{first + rng.randrange(50)}",
        "tick": ",".join(rng.choices([*names, ""], k=rng.randrange(5))),
        "hide": ",".join(rng.choices([*HIDEABLE], k=rng.randrange(4))),
        "color": rng.choice(["none", "surprise", f"{name}:{rng.randrange(all_units)}"]),
        "unit": f"{name}:{rng.randrange(all_units)}",
        "clamp": ",".join(clamps),
        "knob": f"{rng.uniform(0.5, 1.6):.2f}",
        "a": rng.choice([*names, f"{info.name}:{rng.choice(info.saved_steps)}"]),
        "b": rng.choice(names),
        "a_temperature": f"{rng.uniform(0.1, 2):.3f}",
        "b_top_k": rng.choice(["0", "12"]),
        "ab_seed": str(rng.randrange(2**32)),
        "ab_prompt": text,
        "lecture": rng.choice("01"),
        "sha": info.sha256[: rng.randrange(8, 65)],
    }
    chosen = {name: value for name, value in values.items() if rng.random() < 0.5}
    if rng.random() < 0.3:  # a scene sets a model of its own unless one is sent
        chosen |= {"scene": str(rng.randrange(1, len(SCENES) + 1))}
    parameters = [*(chosen | {"model": info.name}).items(), *rng.sample(FOREIGN, k=rng.randrange(2))]
    rng.shuffle(parameters)
    return dict(parameters)


def test_page_reads_valid_links_as_server(store, page):
    rng = random.Random(5)
    searches = [urlencode(random_parameters(store, rng)) for _ in range(250)]
    searches += ["", "?", "?lecture=1", *[f"?lecture=1&scene={n}" for n in range(1, len(SCENES) + 1)]]
    searches += ["?seed=3&seed=4&&seed=5", "?change", "?scene=1", "?lecture=1&scene=2&temperature=0.5&tab=compare"]
    searches += ["?range=5-5", f"?prompt={'a' * 1000}", f"?edits={'1:a,' * 498}10:b,2:🙂", f"?top_p=0.{'9' * 40}"]
    found = read_by_page(page, searches)
    assert found == [read_by_server(store, search) for search in searches]
    assert not [search for search, read in zip(searches, found, strict=True) if read["notice"] and search != "?change"]
    assert len({read["loaded"]["name"] for read in found}) == len(page["models"])


def test_page_reports_broken_links_as_server(store, page):
    rng = random.Random(6)
    alone = [urlencode([each]) for each in BROKEN]
    mixed = [random_parameters(store, rng) | dict(rng.sample(BROKEN, k=rng.randrange(1, 12))) for _ in range(150)]
    searches = [*alone, *map(urlencode, mixed), "?prompt=%ff%fe+%zz%", urlencode(BROKEN)]
    found = read_by_page(page, searches)
    for search, read in zip(searches, found, strict=True):
        assert read == read_by_server(store, search), search
    assert not [search for search, read in zip(alone, found, strict=False) if not read["notice"]]


def test_page_reads_empty_values_as_server(store, page):
    searches = [f"?{name}=" for name in LinkQuery.model_fields]
    found = read_by_page(page, searches)
    assert found == [read_by_server(store, search) for search in searches]
    accepted = {search for search, read in zip(searches, found, strict=True) if not read["notice"]}
    assert accepted == {"?read=", "?prompt=", "?ab_prompt=", "?tick=", "?hide=", "?change=", "?lecture="}


def test_page_reports_reworded_values_too(store, page):
    searches = [f"{name}={quote_plus(value)}" for name, value in REWORDED]
    for search, read in zip(searches, read_by_page(page, searches), strict=True):
        expected = read_by_server(store, search)
        assert read["notice"]["kind"] == expected["notice"]["kind"] == "problem", search
        assert read | {"notice": None} == expected | {"notice": None}, search
