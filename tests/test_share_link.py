"""Share links: settings, validation and limits."""

import json
import re

import pytest

from charrnn.seeds import SEEDS
from charrnn.ui.server import request_parameters
from charrnn.ui.server.clamp_requests import MAX_CLAMPS
from charrnn.ui.server.share_link import DEFAULTS, HIDEABLE, parse_link
from charrnn.ui.server.text_calls import MAX_CALL_CHARS
from charrnn.ui.sidebar.sidebar import describe_models
from tests.cli import ROOT

TEMPLATE = (ROOT / "charrnn/ui/sidebar/sidebar.html").read_text(encoding="utf-8")


def test_bare_link_gives_defaults(store):
    link = parse_link(store, {})
    assert link.notice() is None
    payload = link.to_json()
    assert {name: payload[name] for name in DEFAULTS} == DEFAULTS
    assert payload["write"] == 400 and payload["edits"] == []


def test_page_form_has_link_defaults():
    sliders = dict(re.findall(r'id="cr-(\w+)" [^>]* value="([^"]*)"', TEMPLATE))
    for name in ("temperature", "top_k", "top_p", "min_p", "seed", "characters"):
        assert float(sliders[name]) == DEFAULTS[name], name
    script = (ROOT / "charrnn/ui/sidebar/sidebar.js").read_text(encoding="utf-8")
    speeds = json.loads(re.search(r"SPEEDS = (\[.*?\])", script)[1])  # type: ignore[index]
    assert speeds[int(sliders["speed"])] == DEFAULTS["speed"]
    assert DEFAULTS["prompt"] == re.search(r'id="cr-prompt"[^>]*>([^<]*)<', TEMPLATE)[1]  # type: ignore[index]


def test_page_has_limits_of_server():
    files = ("session/session.js", "neurons/clamp_rows.js", "compare/coupled_sampling.html")
    script, rows, coupled = ((ROOT / "charrnn/ui" / name).read_text(encoding="utf-8") for name in files)
    found = dict(re.findall(r"const (M\w+) = ([\d_]+(?: \*\* 32 - 1)?);", script + rows))
    assert {name: eval(limit) for name, limit in found.items()} == {
        "MAX_TEXT_CHARS": request_parameters.MAX_TEXT_CHARS,
        "MAX_READ_CHARS": request_parameters.MAX_READ_CHARS,
        "MAX_RUN_CHARS": request_parameters.MAX_RUN_CHARS,
        "MAX_SEED": SEEDS.high,
        "MAX_PIECE": 400,  # the page's own
        "MAX_CALL_CHARS": MAX_CALL_CHARS,
        "MAX_CLAMPS": MAX_CLAMPS,
    }
    seeds = f'min="0" max="{SEEDS.high}"'
    assert f'id="cr-seed" {seeds}' in TEMPLATE and f'name="ab_seed" {seeds}' in coupled
    assert f'id="cr-characters" min="1" max="{request_parameters.MAX_RUN_CHARS}"' in TEMPLATE
    assert f'rows="2" maxlength="{request_parameters.MAX_PROMPT_CHARS}"' in TEMPLATE
    assert f"your text (up to {request_parameters.MAX_READ_CHARS:,} characters)" in TEMPLATE
    assert f'maxlength="{request_parameters.MAX_PROMPT_CHARS}"' in coupled


def test_link_sets_every_setting(store):
    settings = {"temperature": "1.25", "top_k": "12", "top_p": "0.9", "min_p": "0.01", "seed": str(2**32 - 1)}
    others = {"model": "gru", "step": "300", "prompt": "To be,\r\nor", "view": "z", "speed": "17"}
    link = parse_link(store, settings | others)
    payload = link.to_json()
    assert {name: str(payload[name]) for name in settings} == settings and link.notice() is None
    assert (payload["prompt"], payload["view"], payload["speed"]) == ("To be,\nor", "z", 17)
    assert (link.query.model, link.query.step) == ("gru", 300)


INVALID = [
    ("temperature", "hot", "temperature is 'hot': give 0 (greedy), or 1e-06 to 2"),
    ("temperature", "", "temperature is empty: give 0 (greedy), or 1e-06 to 2"),
    ("seed", "9" * 5000, "seed is '999999999999...9999999999999': give a whole number from 0 to"),
    ("prompt", "a" * 1001, "the length of prompt is 1001: give at most 1000"),
    ("model", "<script>alert(1)</script>", "there is no checkpoint '<script>alert(1)</script>': choose one of rnn"),
    ("model", "m" * 256, "the length of model is 256: give at most 255"),
    ("model", "../rnn", "there is no checkpoint '../rnn': choose one of rnn"),
    ("step", "7", "rnn was not saved at step 7: choose one of [0, 10"),
    ("step", "x", "step is 'x': give a whole number from 0"),
    ("tab", "Gradients", "tab is 'Gradients': give one of write, gradients, neurons, compare, hood"),
    ("view", "z", "view is 'z': give one of h"),
    ("rows", "up", "rows is 'up': give one of similarity, index, activity"),
    ("change", "yes", "change is 'yes': give one of 0, 1"),
    ("range", "40-13", "range is '40-13': give two rows of the heatmap, as in 13-40"),
    ("range", "0-5", "range is '0-5': give two rows"),
    ("read", "a" * 5001, "the length of read is 5001: give at most 5000"),
    ("tick", "rnn,nobody", "tick names 'nobody': give rnn"),
    ("knob", "3", "knob is 3: give 0.5 to 1.6"),
    ("unit", "h", "unit is 'h': give name:unit"),
    ("unit", "c:1", "unit is 'c': give one of h"),
    ("unit", "h:256", "unit is 256: give a whole number from 0 to 255"),
    ("color", "blue", "color is 'blue': give none, surprise or name:unit"),
    ("color", "c:1", "color is 'c': give one of h"),
    ("color", "h:256", "unit is 256: give a whole number from 0 to 255"),
    ("clamp", "h:1", "clamp is 'h:1': give name:unit:value, or name:all:value, separated by commas"),
    ("clamp", "z:all:0", "'z' cannot be clamped here: give one of h"),
    ("clamp", "h:256:0", "unit is 256: give a whole number from 0 to 255"),
    ("clamp", "h:all:2", "the value of h is 2: give -1 to 1"),
    ("clamp", "h:0:one", "the value of h is 'one': give -1 to 1"),
    ("hide", "top_p,everything", "hide names 'everything': give model"),
    ("lecture", "2", "lecture is '2': give one of 0, 1"),
    ("sha", "zz", "sha is 'zz': give 8 to 64 hexadecimal digits"),
    ("edits", "12:ab", "edits is '12:ab': give position:character, separated by commas"),
    ("edits", "9000:a", "edits is 9000: give a whole number from 0 to 2999"),
]


@pytest.mark.parametrize(("name", "value", "message"), INVALID, ids=lambda each: str(each)[:20])
def test_invalid_link_setting_keeps_default(store, name, value, message):
    link = parse_link(store, {name: value, "seed": value if name == "seed" else "3"})
    (problem,) = link.problems
    assert problem.startswith(message)
    notice = link.notice()
    assert notice and notice["kind"] == "problem" and problem in notice["text"]
    bare = parse_link(store, {"seed": "3"} if name != "seed" else {})
    names = [*DEFAULTS, "edits", "write"]
    assert [link.to_json()[each] for each in names] == [bare.to_json()[each] for each in names]
    assert link.loaded is bare.loaded


def test_link_with_every_problem_opens_page(store):
    link = parse_link(store, {name: value for name, value, _ in INVALID})
    notice = link.notice()
    assert notice and notice["text"].count(";") == 6 and "more" in notice["text"]
    assert {name: link.to_json()[name] for name in DEFAULTS} == DEFAULTS


def test_link_edits_are_positions_and_characters(store):
    assert parse_link(store, {"edits": "5:\n,20:,,21:1"}).to_json()["edits"] == [(5, "\n"), (20, ","), (21, "1")]


def test_link_to_missing_model_reports_no_step(store):
    assert len(parse_link(store, {"model": "nobody", "step": "123"}).problems) == 1


def test_link_to_another_revision_is_reported(store):
    sha = store.load("gru").info.sha256
    assert parse_link(store, {"model": "gru", "sha": sha[:12]}).notice() is None
    notice = parse_link(store, {"model": "gru", "sha": "0123456789ab"}).notice()
    assert notice and "'gru': its sha256 begins with 0123456789ab" in notice["text"] and sha[:12] in notice["text"]


def test_foreign_link_parameters_are_ignored(store):
    sent = {"__theme": "dark", "utm_source": "mail", "msclkid": "x", "vscodeBrowserReqId": "17", "temprature": "0.3"}
    assert parse_link(store, sent).notice() is None


def test_link_payload_is_accepted_by_page(store):
    settings = {"model": "lstm", "temperature": "1e-6", "hide": "top_p,compare", "tick": "rnn,gru", "knob": "1.4"}
    link = parse_link(store, settings | {"clamp": "c:7:-2.5,f:all:1"})
    payload = json.loads(describe_models(store, store.load("lstm"), link))["link"]
    assert link.query.model == "lstm" and link.query.step == 2000 and payload["temperature"] == 1e-6
    assert payload["hide"] == ["top_p", "compare"] and payload["tick"] == ["rnn", "gru"]
    assert set(payload["hide"]) <= set(HIDEABLE) and payload["knob"] == 1.4
    assert payload["clamp"] == [["c", 7, -2.5], ["f", None, 1.0]]


def test_link_text_is_extended_only_on_request(store):
    passage = "Now is the winter\r\nof our discontent"
    payload = parse_link(store, {"read": passage}).to_json()
    assert (payload["read"], payload["write"], payload["characters"]) == (passage.replace("\r", ""), 0, 400)
    assert payload["prompt"] == "ROMEO:\n"
    assert parse_link(store, {"read": passage, "characters": "25"}).to_json()["write"] == 25
    assert "read" not in parse_link(store, {"read": ""}).to_json()
