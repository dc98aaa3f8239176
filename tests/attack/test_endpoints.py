"""The named endpoints under attack: all that `info` lists, so that one that is added is attacked too."""

import json
import re
from typing import Any

import pytest

from charrnn.ui.server.request_body import MAX_BYTES, MAX_DEPTH
from tests.attack.attack_client import Attacked
from tests.attack.conftest import SCRIPT

pytestmark = pytest.mark.process

TEXT = "What say you to a text of the length at which a gradient can be followed? " * 2
GOOD = {
    "prompt": "ROMEO:",
    "checkpoint": "gru",
    "characters": 3,
    "temperature": 0.8,
    "text": TEXT,
    "step": -1,
    "seed": 5,
}
PATHS = ["../..", "../gru", "/etc/passwd", "gru\0", "file:///etc/passwd", "http://127.0.0.1:1/gru", ".", ""]
TRICKS = ["\ud800", "a\udfffb", "\x00\x1b[2J\r\n", "\u202egnp.exe", "e\u0301", "\U0001f600", SCRIPT, "x" * 199_000]
NUMBERS = [
    float("nan"), float("inf"), -float("inf"), -1, 0.5, -(10**30), 10**4000, 2**63, 1e-300, "NaN", "Infinity", "7",
    True, False,
]  # fmt: skip
OTHERS = [
    None, [], {}, [[[["a"]]]], {"__type__": "update"},
    {"path": "/etc/passwd", "meta": {"_type": "gradio.FileData"}},
    {"url": "http://127.0.0.1:1/", "path": "x", "meta": {"_type": "gradio.FileData"}},
]  # fmt: skip
EVERYTHING: list[Any] = [*PATHS, *TRICKS, *NUMBERS, *OTHERS]
TAKEN: dict[str, list[Any]] = {"prompt": ["", ".", "NaN", "Infinity"], "temperature": [0.5], "top_p": [0.5, 1e-300]} | {
    "min_p": [0.5, 1e-300],
    "text": ["", ".", "NaN", "Infinity"],  # letters
    "step": [-1],
    "checkpoint": [""],  # the first on offer
}  # what of EVERYTHING is no attack


def in_words(told: Any) -> bool:
    """Whether it is one line, and says the way out."""
    line = isinstance(told, str) and told.isprintable() and len(told) <= 1000
    return line and bool(re.search(r"\b(give|choose|leave|call|send|reload|at least|at most) ", told))


def values(app: Attacked, name: str, **changed: Any) -> list[Any]:
    parameters = app.endpoints[f"/{name}"]["parameters"]
    good = {each["parameter_name"]: each["parameter_default"] for each in parameters}
    known = {key: value for key, value in GOOD.items() if key in good}
    return list((good | known | changed).values())


def names(app: Attacked) -> list[str]:
    return [name.removeprefix("/") for name in app.endpoints]


def test_wrong_endpoint_arguments_are_refused(app: Attacked):
    tried, taken = 0, dict[str, set[str]]()
    known = set[str]()
    for name in names(app):
        ok, answer = app.call(name, values(app, name))
        assert ok and answer
        for parameter in (each["parameter_name"] for each in app.endpoints[f"/{name}"]["parameters"]):
            # The same parameter of another endpoint has the same check: there some of the values do.
            for wrong in EVERYTHING[::5] if parameter in known else EVERYTHING:
                ok, told = app.call(name, values(app, name, **{parameter: wrong}))
                tried += 1
                if ok:
                    taken.setdefault(parameter, set()).add(repr(wrong))
                else:
                    assert in_words(told), (name, parameter, repr(wrong)[:60], told)
            known.add(parameter)
    assert taken == {parameter: set(map(repr, right)) for parameter, right in TAKEN.items()}
    assert tried > 350


def test_invalid_bodies_are_refused(app: Attacked):
    right = json.dumps({"data": values(app, "write")})
    bombs = {b'{"data":' + b"[" * 100_000 + b"]" * 100_000 + b"}": 400, deep(900): 422, deep(MAX_DEPTH): 422}
    for body, status in bombs.items() | {
        (b"", 400), (b"{", 400), (b"\xff\xfe", 400), (b'{"data": [1' + b"0" * 5000 + b"]}", 400),
        (b'{"data": NaN}', 422), (b"[]", 422), (b"null", 422), (b"7", 422), (b'"data"', 422), (b"{}", 422),
        (b'{"data": {}}', 422), (b'{"data": "abc"}', 422), (b'{"data": []}', 422),
        (right[:-2].encode() + b", 1]}", 422),
    }:  # fmt: skip
        for name in names(app):
            if (name, body) == ("models", b'{"data": []}'):
                continue
            answer = app.post(f"gradio_api/call/{name}", body)
            assert answer.status_code == status and in_words(answer.json()["detail"]), (body[:40], answer.text)
    assert app.post("gradio_api/call/write", deep(MAX_DEPTH - 1)).json()["detail"].startswith("data has 1 values")


def deep(levels: int) -> bytes:
    return b'{"data": ' + b"[" * levels + b"]" * levels + b"}"


def test_wrong_argument_count_lists_the_arguments(app: Attacked):
    wanted = "9 (prompt, checkpoint, characters, temperature, top_k, top_p, min_p, seed, step)"
    assert app.call("write", []) == (False, f"data has 0 values: give {wanted}")
    assert app.call("write", [*values(app, "write"), 1]) == (False, f"data has 10 values: give {wanted}")
    assert app.call("models", [1]) == (False, "data has 1 values: give 0")
    of_name = app.post("gradio_api/call/v2/write", {"prompt": "a", "propmt": "b"})
    assert of_name.json()["detail"].startswith("write takes no 'propmt': give prompt, checkpoint, characters")
    joined = app.post("gradio_api/call/v2/write", {"prompt": "KING", "checkpoint": "gru", "characters": 4, "seed": 5})
    told = app.ask("GET", f"gradio_api/call/v2/write/{joined.json()['event_id']}").text
    assert (
        json.loads(told.partition("data: ")[2])[0]
        == app.call("write", values(app, "write", prompt="KING", characters=4))[1]
    )
    for name in ("nothing", "arrive", "write_1", "", "%00", "<script>"):
        answer = app.post(f"gradio_api/call/{name}", {"data": []})
        assert answer.status_code in (404, 405)
        assert "there is no endpoint" in answer.text or answer.json() == {"detail": "Not Found"}


def test_huge_prompt_is_refused_and_longest_text_accepted(app: Attacked):
    before = app.resident()
    for _ in range(10):
        refused = app.call("write", values(app, "write", prompt="a" * 10_000_000))
        assert refused == (False, f"the body has more than {MAX_BYTES} bytes: send a shorter text")
    assert app.resident() - before < 20_000_000
    assert app.call("next_characters", values(app, "next_characters", text="a" * 20_000))[0]
    widest = app.call("next_characters", values(app, "next_characters", text="\U0001f600" * 20_000))  # 12 bytes each
    assert widest == (False, "the model does not know the character '\U0001f600' at position 0; leave it out")
    for name in ("next_characters", "gradient_flow"):
        ok, told = app.call(name, values(app, name, text="a" * 20_001))
        assert not ok and told.startswith("the length of text is 20001")


def test_script_characters_are_plain_text(app: Attacked):
    written = app.call("write", values(app, "write", prompt=SCRIPT, checkpoint="script", characters=50))
    assert written[0] and written[1].startswith(SCRIPT) and set(written[1]) <= set(SCRIPT)
    rows = app.call("next_characters", values(app, "next_characters", text="<script>", checkpoint="script"))[1]
    assert {row["character"] for row in rows} == set(SCRIPT)
    (listed,) = [model for model in app.call("models", [])[1] if model["name"] == "script"]
    assert listed["characters"] == "".join(sorted(set(SCRIPT)))
    page = app.ask("GET", "").text
    assert SCRIPT not in page and "alert(" not in page
