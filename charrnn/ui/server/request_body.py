"""Validates the bodies of calls before Gradio parses them."""

import inspect
import json
import re
import reprlib
from collections.abc import Mapping
from typing import Any

from gradio.block_function import BlockFunction

MAX_BYTES = 256 * 1024  # enough for the longest text of an endpoint, every character escaped
MAX_DEPTH = 16  # nesting of lists and objects
TOKEN = re.compile(r"[A-Za-z0-9_-]{1,64}")  # session or event id; Gradio's clients use shorter ones
TEXT_ENDPOINT = "continue_text"  # see text_calls.py
TEXT_SESSION = "text calls"  # not a TOKEN, so that no caller can name it
CALL_FIELDS = ("data", "session_hash", "event_data", "fn_index", "trigger_id")  # others are dropped
ENDED_BY = {
    "/gradio_api/cancel": ("session_hash", "fn_index", "event_id"),
    "/gradio_api/reset": ("event_id",),
}


class RequestRejected(Exception):
    """A rejected request, with its HTTP status."""

    def __init__(self, status: int, reason: str):
        super().__init__(reason)
        self.status = status


class CallValidator:
    """The calls of one app: its named endpoints and the events of its page."""

    def __init__(self, functions: Mapping[int, BlockFunction]):
        self.functions = functions
        self.targets = {target for function in functions.values() for target, _ in function.targets} - {None}
        self.named = {f.api_name: f for f in functions.values() if f.api_visibility == "public"}

    def positional(self, name: str, body: bytes) -> bytes:
        """Validate a call of an endpoint with a list of values. Raises RequestRejected."""
        function, sent = self._endpoint(name), parse_json(body)
        return _dump({"data": _values(function, sent.get("data"))} | _session(sent))

    def by_name(self, name: str, body: bytes) -> bytes:
        """Validate a call of an endpoint with named values. Raises RequestRejected."""
        function, sent = self._endpoint(name), parse_json(body)
        names = _names(function)
        for unknown in sent.keys() - set(names):
            raise RequestRejected(422, f"{name} takes no {reprlib.repr(unknown)}: give {_join(names)}")
        return _dump(sent)

    def event(self, body: bytes) -> bytes:
        """Validate an event from a page or a client. Raises RequestRejected."""
        sent = parse_json(body)
        index, trigger = sent.get("fn_index"), sent.get("trigger_id")
        if type(index) is not int or index not in self.functions:
            raise RequestRejected(404, f"fn_index is {reprlib.repr(index)}: the page has no such event; reload it")
        if trigger is not None and (type(trigger) is not int or trigger not in self.targets):
            raise RequestRejected(404, f"trigger_id is {reprlib.repr(trigger)}: the page has no such part; reload it")
        fields = {key: sent[key] for key in CALL_FIELDS if key in sent}
        return _dump(fields | {"data": _values(self.functions[index], sent.get("data"))} | _session(sent))

    def text(self, body: bytes) -> bytes:
        """Validate a text call (`text_calls.py`). Raises RequestRejected.

        All text calls share one Gradio session state. A new one copies the configuration of every component, which
        takes ten times as long as the model.
        """
        data = parse_json(body).get("data")
        if not isinstance(data, list) or len(data) != 1 or not isinstance(data[0], dict):
            raise RequestRejected(422, f"data is {reprlib.repr(data)}: give a list of one request")
        return _dump({"data": data, "session_hash": TEXT_SESSION})

    def _endpoint(self, name: str) -> BlockFunction:
        if name not in self.named:
            raise RequestRejected(404, f"there is no endpoint {reprlib.repr(name)}: call one of {_join(self.named)}")
        return self.named[name]


def parse_end_event(path: str, body: bytes) -> bytes:
    """Parse the body that ends an event. Raises RequestRejected."""
    sent, fields = parse_json(body), {}
    for key in ENDED_BY[path]:
        value = fields[key] = sent.get(key)
        if not (type(value) is int if key == "fn_index" else isinstance(value, str) and TOKEN.fullmatch(value)):
            raise RequestRejected(422, f"{key} is {reprlib.repr(value)}: give what the queue answered")
    return _dump(fields)


def parse_json(body: bytes) -> dict[str, Any]:
    """Parse the JSON object of a body. Raises RequestRejected."""
    try:
        sent = json.loads(body)
    except (ValueError, RecursionError):  # a number with too many digits is a ValueError too
        raise RequestRejected(400, "the body cannot be read: send one JSON object in UTF-8") from None
    if not isinstance(sent, dict):
        raise RequestRejected(422, f"the body is {reprlib.repr(sent)}: send one JSON object")
    _check_nested(sent)
    return sent


def _check_nested(value: Any, depth: int = 0) -> None:
    """Reject deep nesting, and objects that Gradio would fetch as files or URLs."""
    if depth > MAX_DEPTH:
        reason = f"the body is nested too deep: at most {MAX_DEPTH} lists and objects within each other"
        raise RequestRejected(422, reason)
    for inner in value.values() if isinstance(value, dict) else value:
        if isinstance(inner, dict) and inner.keys() & {"path", "meta"}:
            raise RequestRejected(422, f"{reprlib.repr(inner)} looks like a file: give a text or a number")
        if isinstance(inner, dict | list):
            _check_nested(inner, depth + 1)


def _values(function: BlockFunction, data: Any) -> list[Any]:
    if not isinstance(data, list):
        raise RequestRejected(422, f"data is {reprlib.repr(data)}: give a list of values")
    names = _names(function)
    if len(data) != len(function.inputs):
        expected = f"{len(function.inputs)} ({', '.join(names)})" if names else f"{len(function.inputs)}"
        raise RequestRejected(422, f"data has {len(data)} values: give {expected}")
    return data


def _session(sent: Mapping[str, Any]) -> dict[str, str]:
    name = sent.get("session_hash")
    if name is None:
        return {}
    if not isinstance(name, str) or not TOKEN.fullmatch(name):
        raise RequestRejected(422, f"session_hash is {reprlib.repr(name)}: give 1 to 64 letters and digits")
    return {"session_hash": name}


def _names(function: BlockFunction) -> list[str]:
    """Return the parameters of a named endpoint, in order."""
    is_named = function.api_visibility == "public" and function.fn is not None
    return list(inspect.signature(function.fn).parameters) if is_named and function.fn else []


def _join(names: Any) -> str:
    return ", ".join(names) or "nothing"


def _dump(sent: Mapping[str, Any]) -> bytes:
    return json.dumps(sent).encode()
