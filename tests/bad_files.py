"""
Everything a bad checkpoint can be, as one table: case → mutation of a good file → the reason that must be given.

`FILE` cases are wrong as a safetensors file, whatever is in it; `WEIGHTS` cases hold other tensors than their network
takes; `METADATA` cases say of themselves what cannot be. `tests/test_refusals.py` sends them down every way in.
"""

import json
import struct
from collections.abc import Callable
from typing import Any, NamedTuple

from tests.by_hand import set_metadata, whole

FILE, WEIGHTS, METADATA = "file", "weights", "metadata"


class Case(NamedTuple):
    """What is done to a good file (taken apart into header and data), and why the result must be refused."""

    mutation: Callable[[dict[str, Any], bytes], bytes | None]
    reason: str  # a regular expression
    kind: str


def raw(content: bytes) -> Callable:
    return lambda header, data: content


def announcing(length: int, text: bytes = b"{}") -> Callable:
    return lambda header, data: struct.pack("<Q", length) + text + data


def header_text(text: bytes) -> Callable:
    return lambda header, data: struct.pack("<Q", len(text)) + text + data


def first_tensor(header: dict[str, Any]) -> str:
    return next(name for name in header if name != "__metadata__")


def with_tensor(**fields: Any) -> Callable:
    """The first tensor in the header, with other fields; one that is ... is left out."""

    def change(header: dict[str, Any], data: bytes) -> None:
        name = first_tensor(header)
        header[name] = {key: value for key, value in (header[name] | fields).items() if value is not ...}

    return change


def offsets(change: Callable[[int, int], list[Any]]) -> Callable:
    """The first tensor in the header that stands elsewhere."""

    def move(header: dict[str, Any], data: bytes) -> None:
        name = first_tensor(header)
        header[name]["data_offsets"] = change(*header[name]["data_offsets"])

    return move


def twice(header: dict[str, Any], data: bytes) -> bytes:
    name, text = first_tensor(header), json.dumps(header)
    return header_text(f'{text[:-1]}, "{name}": {json.dumps(header[name])}}}'.encode())(header, data)


def with_nan_in_header(header: dict[str, Any], data: bytes) -> bytes:
    return header_text((json.dumps(header)[:-1] + ', "a": NaN}').encode())(header, data)


def hole(header: dict[str, Any], data: bytes) -> bytes:
    last = max(first for name, first in _starts(header))
    for name, first in _starts(header):
        if first == last:
            header[name]["data_offsets"] = [first + 4, header[name]["data_offsets"][1] + 4]
    return whole(header, data + bytes(4))


def overlap(header: dict[str, Any], data: bytes) -> None:
    (one, _), (other, _) = sorted(_starts(header), key=lambda item: item[1])[:2]
    begin, end = header[other]["data_offsets"]
    header[other]["data_offsets"] = [begin - 1, end - 1] if begin else [begin, end]
    assert one != other


def _starts(header: dict[str, Any]) -> list[tuple[str, int]]:
    return [(name, entry["data_offsets"][0]) for name, entry in header.items() if name != "__metadata__"]


def stored_as(dtype: str) -> Callable:
    def change(header: dict[str, Any], data: bytes) -> None:
        for name in header:
            if name != "__metadata__":
                header[name]["dtype"] = dtype

    return change


def without_tensor(header: dict[str, Any], data: bytes) -> bytes:
    rest = {name: tensor for name, tensor in header.items() if name != "head.bias"}
    return whole(rest, data[: max(t["data_offsets"][1] for name, t in rest.items() if name != "__metadata__")])


def with_extra(name: str, shape: list[int] | None = None) -> Callable:
    def change(header: dict[str, Any], data: bytes) -> bytes:
        size = 4 if shape is None else 0
        header[name] = {"dtype": "F32", "shape": shape or [1], "data_offsets": [len(data), len(data) + size]}
        return whole(header, data + bytes(size))

    return change


def not_finite(value: float) -> Callable:
    def change(header: dict[str, Any], data: bytes) -> bytes:
        return whole(header, data[:-4] + struct.pack("<f", value))

    return change


def flipped_bit(header: dict[str, Any], data: bytes) -> bytes:
    content = whole(header, data)
    return content[:-9] + bytes([content[-9] ^ 1]) + content[-8:]


def metadata(**texts: Any) -> Callable:
    return lambda header, data: header["__metadata__"].update(texts)


def without_metadata(key: str) -> Callable:
    def change(header: dict[str, Any], data: bytes) -> None:
        del header["__metadata__"][key]

    return change


def config(**fields: Any) -> Callable:
    return set_metadata("config", fields)


GPT = {"cell": "minigpt", "hidden_dim": 8, "layers": 2, "heads": 2, "context": 8}
POINT = {"train_loss_nats": 1.0, "val_loss_nats": 1.0, "grad_norm": 1.0, "learning_rate": 1.0, "seconds": 1.0}
UNREADABLE = "the header of .* cannot be read"

FILES = {
    "empty": (raw(b""), "not a safetensors file"),
    "a few bytes": (raw(b"\x01\x02"), "not a safetensors file"),
    "a length and nothing else": (raw(struct.pack("<Q", 100)), "not a safetensors file"),
    "web page": (raw(b"<html>404: not here</html>"), "not a safetensors file"),
    "pickle": (raw(b"\x80\x04\x95" + bytes(40)), "pickled files are never opened"),
    "zip of torch.save": (raw(b"PK\x03\x04" + bytes(40)), "pickled files are never opened"),
    "git-LFS pointer": (raw(b"version https://git-lfs.github.com/spec/v1\noid sha256:0"), "run `git lfs pull`"),
    "header of no bytes": (announcing(0, b""), "not a safetensors file|cannot be read"),
    "header longer than the file": (announcing(10**6), "announces a header of 1000000 bytes"),
    "header of 2^63 bytes": (announcing(2**63), "announces a header of 9223372036854775808 bytes"),
    "header of 2^64 - 1 bytes": (announcing(2**64 - 1), "announces a header of 18446744073709551615 bytes"),
    "header bomb": (raw(struct.pack("<Q", 2 << 20) + b"{" + b" " * (2 << 20)), "announces a header of 2097152 bytes"),
    "header that is no JSON": (header_text(b"{oops"), UNREADABLE),
    "header that is a list": (header_text(b"[]"), "not a safetensors file"),
    "header that is null": (header_text(b"null"), "not a safetensors file"),
    "header after a space": (header_text(b" {}"), "not a safetensors file"),
    "header with a byte order mark": (header_text("\ufeff{}".encode()), "not a safetensors file"),
    "header that is no UTF-8": (header_text(b'{"\xff": 1}'), f"{UNREADABLE}: .* can't decode byte 0xff"),
    "header in UTF-16": (header_text('{"a": 1}'.encode("utf-16-le")), UNREADABLE),
    "header with NaN": (with_nan_in_header, f"{UNREADABLE}: NaN is not a number"),
    "header with half a character": (header_text(b'{"\\ud800": 1}'), f"{UNREADABLE}: .* surrogates not allowed"),
    "header nested without end": (header_text(b'{"a":' + b"[" * 200_000), UNREADABLE),
    "tensor twice": (twice, f"{UNREADABLE}: the key .* stands there twice"),
    "5000 tensors": (
        lambda h, d: h.update({f"{i}": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]} for i in range(5000)}),
        f"{UNREADABLE}: 50\\d\\d tensors, 4096 at most",
    ),
    "tensor that is a number": (lambda h, d: h.update({first_tensor(h): 6}), UNREADABLE),
    "tensor that is null": (lambda h, d: h.update({first_tensor(h): None}), UNREADABLE),
    "tensor without a shape": (with_tensor(shape=...), UNREADABLE),
    "tensor without a place": (with_tensor(data_offsets=...), UNREADABLE),
    "tensor without a type": (with_tensor(dtype=...), "is stored as None"),
    "shape that is a number": (with_tensor(shape=6), f"{UNREADABLE}: a tensor has no shape or no place"),
    "negative shape": (with_tensor(shape=[-1, 4]), f"{UNREADABLE}: a tensor has no shape or no place"),
    "shape of 9 dimensions": (with_tensor(shape=[1] * 9), f"{UNREADABLE}: a tensor has more than 8 dimensions"),
    "shape of 9 dimensions after a space": (
        lambda h, d: header_text(json.dumps(h).replace('"shape": [', f'"shape" : [{"1, " * 8}', 1).encode())(h, d),
        f"{UNREADABLE}: a tensor has no shape or no place",
    ),
    "shape whose product has no end": (with_tensor(shape=[2**63 - 1] * 45_000), f"{UNREADABLE}: .* 8 dimensions"),
    "broken shape": (with_tensor(shape=[1.5, 4]), f"{UNREADABLE}: a tensor has no shape or no place"),
    "shape beyond 64 bits": (with_tensor(shape=[10**30]), f"{UNREADABLE}: 10+ is too large a number"),
    "unknown type": (stored_as("F99"), "is stored as F99"),
    "type in small letters": (stored_as("f32"), "is stored as f32"),
    "type that is a list": (with_tensor(dtype=[]), r"is stored as \[\]"),
    "booleans": (stored_as("BOOL"), "is stored as BOOL"),
    "half precision of another kind": (stored_as("BF16"), "is stored as BF16"),
    "place that is negative": (offsets(lambda a, b: [-4, b]), f"{UNREADABLE}: a tensor has no shape or no place"),
    "place that is no whole number": (offsets(lambda a, b: [a, b + 0.5]), f"{UNREADABLE}: a tensor has no"),
    "place that is empty": (offsets(lambda a, b: []), UNREADABLE),
    "place that ends before it begins": (offsets(lambda a, b: [b, a]), "is damaged"),
    "overlapping places": (overlap, "is damaged"),
    "hole between the places": (hole, "is damaged"),
    "data cut off": (lambda h, d: whole(h, d[:-4]), "is damaged: it has .* bytes, its header speaks of"),
    "data appended": (lambda h, d: whole(h, d + b"more"), "is damaged: it has .* bytes, its header speaks of"),
    "metadata that are a list": (lambda h, d: h.update(__metadata__=["x"]), UNREADABLE),
    "metadata that are no texts": (lambda h, d: h.update(__metadata__={"a": 1}), f"{UNREADABLE}: .* not texts"),
    "metadata that are nested": (lambda h, d: h.update(__metadata__={"a": {}}), f"{UNREADABLE}: .* not texts"),
}

TENSORS = {
    "missing tensor": (without_tensor, "lacks head.bias"),
    "extra tensor": (with_extra("extra"), "has not: 'extra'"),
    "tensor without a name": (with_extra(""), "has not: ''"),
    "tensor named with NUL": (with_extra("a\0b"), r"has not: 'a\\x00b'"),
    "tensor named like a path": (with_extra("../../x"), "has not: '../../x'"),
    "tensor of size zero": (with_extra("none", [0]), "has not: 'none'"),
    "wrong shape": (lambda h, d: h["head.bias"].update(shape=[3, 2]), r"head.bias .* has the shape \[3, 2\]"),
    "scalar": (lambda h, d: h["head.bias"].update(shape=[]), r"head.bias .* has the shape \[\]"),
    "shape that overflows": (lambda h, d: h["head.bias"].update(shape=[2**40, 2**40]), r"has the shape \[1099511627"),
    "integers": (lambda h, d: h["head.bias"].update(dtype="I32"), "stored as I32"),
    "double precision": (lambda h, d: h["head.bias"].update(dtype="F64"), "stored as F64"),
    "NaN weight": (not_finite(float("nan")), "NaN or infinite"),
    "infinite weight": (not_finite(float("-inf")), "NaN or infinite"),
}

SAID = {
    "flipped bit": (flipped_bit, "is damaged: its bytes are not those that were written"),
    "no digest": (without_metadata("file_sha256"), "has no digest .*: it is damaged, or was not written by charrnn"),
    "no metadata": (lambda h, d: h.pop("__metadata__") and None, "not a charrnn checkpoint"),
    "format of the future": (metadata(charrnn="99"), "not a charrnn checkpoint of format 1"),
    "format 0": (metadata(charrnn="0"), "not a charrnn checkpoint of format 1"),
    "metadata that are no JSON": (metadata(config="{"), "the metadata of .* cannot be read"),
    "metadata nested without end": (metadata(config="[" * 100_000), "the metadata of .* cannot be read"),
    "metadata with a key twice": (metadata(config='{"cell": "rnn", "cell": "gru"}'), "'cell' stands there twice"),
    "metadata with NaN": (metadata(metrics='{"a": NaN}'), "NaN is not a number"),
    "metadata with infinity": (metadata(metrics='{"val_stream_nats": 1e999}'), "1e999 is too large a number"),
    "metadata with a number of 5000 digits": (metadata(step="9" * 5000), "9+ is too large a number"),
    **{
        f"no {key}": (without_metadata(key), f"the {key} is None: it must be of type")
        for key in ("name", "config", "vocab", "step", "seed", "recipe", "metrics", "history", "data_sha256")
    },
    "config of a wrong type": (set_metadata("config", [4]), r"the config is \[4\]: it must be of type dict"),
    "no cell": (config(), "the cell is None: give one of"),
    "cell of a wrong type": (config(cell=["rnn"], hidden_dim=4), r"the cell is \['rnn'\]"),
    "unknown cell": (config(cell="xlstm", hidden_dim=4), "the cell is 'xlstm': give one of rnn, gru, lstm, minigpt"),
    "cell with a name without end": (config(cell="x" * 100_000, hidden_dim=4), "the cell is 'xxx"),
    "no hidden_dim": (config(cell="lstm"), "there is no hidden_dim"),
    "config of a later version": (config(cell="lstm", hidden_dim=4, peepholes=True), "lstm has no 'peepholes'"),
    "config with a line break": (config(**GPT, **{"\n": 1}), r"minigpt has no '\\n'"),
    "hidden_dim of no units": (config(cell="rnn", hidden_dim=0), "hidden_dim is 0: give a whole number from 1 to 4096"),
    "hidden_dim below zero": (config(cell="rnn", hidden_dim=-4), "hidden_dim is -4"),
    "hidden_dim that is true": (config(cell="rnn", hidden_dim=True), "hidden_dim is True"),
    "hidden_dim that is a fraction": (config(cell="rnn", hidden_dim=4.0), "hidden_dim is 4.0"),
    "hidden_dim that is a text": (config(cell="rnn", hidden_dim="4"), "hidden_dim is '4'"),
    "hidden_dim that fills the memory": (config(cell="rnn", hidden_dim=10**9), "hidden_dim is 1000000000"),
    "hidden_dim as large as allowed": (config(cell="rnn", hidden_dim=4096), r"has the shape \[\d+, 4\]"),
    "layer norm that is a number": (config(cell="lstm", hidden_dim=4, layer_norm=1), "layer_norm is 1"),
    "layer norm where there is none": (config(cell="rnn", hidden_dim=4, layer_norm=True), "lacks cell.norm.h.bias"),
    "another cell": (config(cell="lstm", hidden_dim=4), "has the shape .* take"),
    "a cell with layers": (config(cell="gru", hidden_dim=4, layers=2), "gru has no 'layers'"),
    "layers that fill the memory": (config(**GPT | {"layers": 10**9}), "layers is 1000000000"),
    "layers that are true": (config(**GPT | {"layers": True}), "layers is True"),
    "no layers": (config(**GPT | {"layers": 0}), "layers is 0"),
    "no heads": (config(**GPT | {"heads": 0}), "heads is 0"),
    "heads that do not divide": (config(**GPT | {"heads": 3}), "heads that divide"),
    "heads that leave one each": (config(**GPT | {"heads": 8}), "give even"),
    "context of one": (config(**GPT | {"context": 1}), "context is 1"),
    "context that fills the memory": (config(**GPT | {"context": 10**12}), "context is 1000000000000"),
    "Transformer with layer norm": (config(**GPT, layer_norm=True), "minigpt has no 'layer_norm'"),
    "vocabulary that does not fit": (set_metadata("vocab", "ab"), "a vocabulary of 2 characters"),
    "empty vocabulary": (set_metadata("vocab", ""), "a vocabulary needs at least one character"),
    "vocabulary with a character twice": (set_metadata("vocab", "aabcde"), "lists every character once"),
    "vocabulary that is a list": (set_metadata("vocab", ["ab", "c"]), "the vocab is .*: it must be of type str"),
    "vocabulary with half a character": (metadata(vocab=r'"abcde\ud800"'), "surrogates not allowed"),
    "vocabulary without end": (set_metadata("vocab", "a" * 70_000), "the vocab is 'aaa.*: it must be at most 65536"),
    "step that is true": (set_metadata("step", True), "the step is True: it must be of type int"),
    "step below zero": (set_metadata("step", -1), "the step is -1: it must be 0 to 1000000000"),
    "step without end": (set_metadata("step", 10**15), "the step is 1000000000000000: it must be 0 to"),
    "seed below zero": (set_metadata("seed", -1), "the seed is -1: it must be 0 or more"),
    "recipe that is nested": (set_metadata("recipe", {"a": [1]}), "the recipe is .*: it must be at most 64 names"),
    "recipe with steps that are a text": (set_metadata("recipe", {"steps": "9"}), "steps in the recipe is '9'"),
    "metrics of a wrong type": (set_metadata("metrics", None), "the metrics is None: it must be of type dict"),
    "metrics that are nested": (set_metadata("metrics", {"a": {"b": 1}}), "the metrics is .*: it must be at most 64"),
    "loss that is a text": (set_metadata("metrics", {"val_stream_nats": "1"}), "val_stream_nats in the metrics is '1'"),
    "loss below zero": (set_metadata("metrics", {"train_loss_nats": -1}), "train_loss_nats in the metrics is -1"),
    "sample that is a number": (set_metadata("metrics", {"sample": 1}), "the sample in the metrics is no text"),
    "history of something else": (set_metadata("history", [{"step": 1}]), "{'step': 1} is not a point of a training"),
    "history of numbers": (set_metadata("history", [1]), "1 is not a point of a training curve"),
    "history of names": (set_metadata("history", [["step", *POINT]]), "is not a point of a training curve"),
    **{
        f"history with a {key} beyond all bounds": (
            set_metadata("history", [POINT | {"step": 0, key: 1e39}]),
            rf"{key} is 1e\+39 in a point of a training curve: it must be 0 to",
        )
        for key in POINT
    },
    "history with a loss below zero": (
        set_metadata("history", [POINT | {"step": 0, "val_loss_nats": -1}]),
        "val_loss_nats is -1 in a point of a training curve: it must be 0 to 1e",
    ),
    "history with a step beyond all bounds": (
        set_metadata("history", [POINT | {"step": 2**62}]),
        r"step is 4611686018427387904 in a point of a training curve: it must be 0 to 1e\+09",
    ),
    "history without end": (
        set_metadata("history", [POINT | {"step": step} for step in range(5000)]),
        "the history has 5000 points: it must be at most 4096",
    ),
    "minutes without end": (set_metadata("metrics", {"minutes": 10**10}), "minutes in the metrics is 1"),
    "metric without end": (set_metadata("metrics", {"a": [1, 1e300]}), "the metrics is .*: it must be at most 64"),
    "metrics without end": (set_metadata("metrics", {"a": [1] * 65}), "the metrics is .*: it must be at most 64"),
    "recipe without end": (
        set_metadata("recipe", {str(i): 1 for i in range(65)}),
        "the recipe is .*: it must be at most",
    ),
    "history with half a step": (set_metadata("history", [POINT | {"step": 0.5}]), "is not a point of a training"),
    "history that goes back": (
        set_metadata("history", [POINT | {"step": 10}, POINT | {"step": 0}]),
        "the history does not go forward",
    ),
    "name that is empty": (set_metadata("name", ""), "the name is '': it must be 1 to 255 characters"),
    "name without end": (set_metadata("name", "a" * 300), "the name is 'aaa.*: it must be 1 to 255 characters"),
    "name with a line break": (set_metadata("name", "a\nb"), "characters that can be shown"),
    "text of another sha256": (set_metadata("data_sha256", "<b>"), "the data_sha256 is '<b>': it must be 64 hexa"),
}

CASES = {
    name: Case(mutation, reason, kind)
    for kind, table in ((FILE, FILES), (WEIGHTS, TENSORS), (METADATA, SAID))
    for name, (mutation, reason) in table.items()
}
