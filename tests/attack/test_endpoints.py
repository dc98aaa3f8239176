"""Invalid calls of every named endpoint that `info` lists."""

import json
import re
from typing import Any

import pytest

from charrnn.ui.server.request_body import MAX_BYTES, MAX_DEPTH
from tests.attack.attack_client import AttackedApp, in_parallel
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
VALID: dict[str, list[Any]] = {"prompt": ["", ".", "NaN", "Infinity"], "temperature": [0.5], "top_p": [0.5, 1e-300]} | {
    "min_p": [0.5, 1e-300],
    "text": ["", ".", "NaN", "Infinity"],  # letters
    "step": [-1],
    "checkpoint": [""],  # the first on offer
}  # the values of EVERYTHING that are valid


def is_clear_reason(reason: Any) -> bool:
    """Return whether a reason is one printable line that names a remedy."""
    is_line = isinstance(reason, str) and reason.isprintable() and len(reason) <= 1000
    return is_line and bool(re.search(r"\b(give|choose|leave|call|send|reload|at least|at most) ", reason))


def arguments(app: AttackedApp, name: str, **changed: Any) -> list[Any]:
    parameters = app.endpoints[f"/{name}"]["parameters"]
    good = {each["parameter_name"]: each["parameter_default"] for each in parameters}
    known = {key: value for key, value in GOOD.items() if key in good}
    return list((good | known | changed).values())


def names(app: AttackedApp) -> list[str]:
    return [name.removeprefix("/") for name in app.endpoints]


def test_wrong_endpoint_arguments_are_refused(app: AttackedApp):
    requests: list[tuple[str, str, Any]] = []
    seen = set[str]()
    for name in names(app):
        ok, answer = app.call(name, arguments(app, name))
        assert ok and answer
        for parameter in (each["parameter_name"] for each in app.endpoints[f"/{name}"]["parameters"]):
            # The endpoints share the check of a parameter: the second one gets some of the values.
            requests += [(name, parameter, value) for value in (EVERYTHING[::5] if parameter in seen else EVERYTHING)]
            seen.add(parameter)
    assert len(requests) > 350
    accepted = dict[str, set[str]]()
    for (name, parameter, value), (ok, reason) in in_parallel(
        lambda request: app.call(request[0], arguments(app, request[0], **{request[1]: request[2]})), requests
    ):
        if ok:
            accepted.setdefault(parameter, set()).add(repr(value))
        else:
            assert is_clear_reason(reason), (name, parameter, repr(value)[:60], reason)
    assert accepted == {parameter: set(map(repr, values)) for parameter, values in VALID.items()}


def test_invalid_bodies_are_refused(app: AttackedApp):
    right = json.dumps({"data": arguments(app, "write")})
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
            assert answer.status_code == status and is_clear_reason(answer.json()["detail"]), (body[:40], answer.text)
    assert app.post("gradio_api/call/write", deep(MAX_DEPTH - 1)).json()["detail"].startswith("data has 1 values")


def deep(levels: int) -> bytes:
    return b'{"data": ' + b"[" * levels + b"]" * levels + b"}"


def test_wrong_argument_count_lists_the_arguments(app: AttackedApp):
    wanted = "9 (prompt, checkpoint, characters, temperature, top_k, top_p, min_p, seed, step)"
    assert app.call("write", []) == (False, f"data has 0 values: give {wanted}")
    assert app.call("write", [*arguments(app, "write"), 1]) == (False, f"data has 10 values: give {wanted}")
    assert app.call("models", [1]) == (False, "data has 1 values: give 0")
    by_name = app.post("gradio_api/call/v2/write", {"prompt": "a", "propmt": "b"})
    assert by_name.json()["detail"].startswith("write takes no 'propmt': give prompt, checkpoint, characters")
    joined = app.post("gradio_api/call/v2/write", {"prompt": "KING", "checkpoint": "gru", "characters": 4, "seed": 5})
    answer = app.request("GET", f"gradio_api/call/v2/write/{joined.json()['event_id']}").text
    _, expected = app.call("write", arguments(app, "write", prompt="KING", characters=4))
    assert json.loads(answer.partition("data: ")[2])[0] == expected
    for name in ("nothing", "arrive", "write_1", "", "%00", "<script>"):
        answer = app.post(f"gradio_api/call/{name}", {"data": []})
        assert answer.status_code in (404, 405)
        assert "there is no endpoint" in answer.text or answer.json() == {"detail": "Not Found"}


def test_huge_prompt_is_refused_and_longest_text_accepted(app: AttackedApp):
    before = app.resident_bytes()
    for _ in range(10):
        refused = app.call("write", arguments(app, "write", prompt="a" * 10_000_000))
        assert refused == (False, f"the body has more than {MAX_BYTES} bytes: send a shorter text")
    assert app.resident_bytes() - before < 20_000_000
    assert app.call("next_characters", arguments(app, "next_characters", text="a" * 20_000))[0]
    widest = app.call("next_characters", arguments(app, "next_characters", text="\U0001f600" * 20_000))  # 12 bytes each
    assert widest == (False, "the model does not know the character '\U0001f600' at position 0; leave it out")
    for name in ("next_characters", "gradient_flow"):
        ok, reason = app.call(name, arguments(app, name, text="a" * 20_001))
        assert not ok and reason.startswith("the length of text is 20001")


def test_script_characters_are_plain_text(app: AttackedApp):
    ok, text = app.call("write", arguments(app, "write", prompt=SCRIPT, checkpoint="script", characters=50))
    assert ok and text.startswith(SCRIPT) and set(text) <= set(SCRIPT)
    rows = app.call("next_characters", arguments(app, "next_characters", text="<script>", checkpoint="script"))[1]
    assert {row["character"] for row in rows} == set(SCRIPT)
    (listed,) = [model for model in app.call("models", [])[1] if model["name"] == "script"]
    assert listed["characters"] == "".join(sorted(set(SCRIPT)))
    page = app.request("GET", "").text
    assert SCRIPT not in page and "alert(" not in page
