"""
Malformed checkpoints: the change of a valid file and the expected reason.

`FILES` has a row for each check of this project and some of the safetensors library; `METADATA` has invalid metadata.
Invalid configs are in `tests/test_registry.py`.
"""

import json
import struct
from collections.abc import Callable
from typing import Any

from tests.checkpoint_files import joined, set_metadata


def raw(content: bytes) -> Callable:
    return lambda header, data: content


def announcing(length: int, text: bytes = b"{}") -> Callable:
    return lambda header, data: struct.pack("<Q", length) + text + data


def header_text(text: bytes) -> Callable:
    return lambda header, data: struct.pack("<Q", len(text)) + text + data


def first_tensor(header: dict[str, Any]) -> str:
    return next(name for name in header if name != "__metadata__")


def with_tensor(**fields: Any) -> Callable:
    """Change fields of the first tensor in the header; ... removes a field."""

    def change(header: dict[str, Any], data: bytes) -> None:
        name = first_tensor(header)
        header[name] = {key: value for key, value in (header[name] | fields).items() if value is not ...}

    return change


def twice(header: dict[str, Any], data: bytes) -> bytes:
    name, text = first_tensor(header), json.dumps(header)
    return header_text(f'{text[:-1]}, "{name}": {json.dumps(header[name])}}}'.encode())(header, data)


def hole(header: dict[str, Any], data: bytes) -> bytes:
    last = max(first for name, first in _starts(header))
    for name, first in _starts(header):
        if first == last:
            header[name]["data_offsets"] = [first + 4, header[name]["data_offsets"][1] + 4]
    return joined(header, data + bytes(4))


def _starts(header: dict[str, Any]) -> list[tuple[str, int]]:
    return [(name, entry["data_offsets"][0]) for name, entry in header.items() if name != "__metadata__"]


def without_last(header: dict[str, Any], data: bytes) -> bytes:
    return joined(header, data[: header.pop("head.weight")["data_offsets"][0]])


def doubled(header: dict[str, Any], data: bytes) -> bytes:
    begin, end = header["head.weight"]["data_offsets"]
    header["head.weight"] |= {"dtype": "F64", "data_offsets": [begin, 2 * end - begin]}
    return joined(header, data + bytes(end - begin))


def with_extra(name: str, size: int = 4, **fields: Any) -> Callable:
    def change(header: dict[str, Any], data: bytes) -> bytes:
        header[name] = {"dtype": "F32", "shape": [1], "data_offsets": [len(data), len(data) + size]} | fields
        return joined(header, data + bytes(size))

    return change


def not_finite(value: float) -> Callable:
    def change(header: dict[str, Any], data: bytes) -> bytes:
        return joined(header, data[:-4] + struct.pack("<f", value))

    return change


def flipped_bit(header: dict[str, Any], data: bytes) -> bytes:
    content = joined(header, data)
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
LARGEST = {"cell": "minigpt", "hidden_dim": 4096, "layers": 64, "heads": 64, "context": 65536}  # 13 billion weights
POINT = {"train_loss_nats": 1.0, "val_loss_nats": 1.0, "grad_norm": 1.0, "learning_rate": 1.0, "seconds": 1.0}
UNREADABLE = "the header of .* cannot be read"
BY_LIBRARY = "is damaged: Error while deserializing"

FILES = {
    "empty": (raw(b""), "not a safetensors file"),
    "pickle": (raw(b"\x80\x04\x95" + bytes(40)), "pickled files are never opened"),
    "zip of torch.save": (raw(b"PK\x03\x04" + bytes(40)), "pickled files are never opened"),
    "git-LFS pointer": (raw(b"version https://git-lfs.github.com/spec/v1\noid sha256:0"), "run `git lfs pull`"),
    "header longer than the file": (announcing(10**6), "announces a header of 1000000 bytes"),
    "header of 2^64 - 1 bytes": (announcing(2**64 - 1), "announces a header of 18446744073709551615 bytes"),
    "header bomb": (raw(struct.pack("<Q", 2 << 20) + b"{" + b" " * (2 << 20)), "announces a header of 2097152 bytes"),
    "header that is no JSON": (header_text(b"{oops"), UNREADABLE),
    "header nested without end": (header_text(b'{"a":' + b"[" * 200_000), UNREADABLE),
    "tensor twice": (twice, f"{UNREADABLE}: the key .* occurs twice"),
    "5000 tensors": (
        lambda h, d: h.update({f"{i}": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]} for i in range(5000)}),
        f"{UNREADABLE}: 50\\d\\d tensors, 4096 at most",
    ),
    "tensor without a shape": (with_tensor(shape=...), UNREADABLE),
    "shape of 9 dimensions": (with_tensor(shape=[1] * 9), f"{UNREADABLE}: a tensor has more than 8 dimensions"),
    "shape whose product has no end": (with_tensor(shape=[2**63 - 1] * 45_000), f"{UNREADABLE}: .* 8 dimensions"),
    "shape beyond 64 bits": (with_tensor(shape=[10**30]), f"{UNREADABLE}: 10+ is too large a number"),
    "data cut off": (lambda h, d: joined(h, d[:-4]), "is damaged: it has .* bytes, its header announces"),
    "data appended": (lambda h, d: joined(h, d + b"more"), "is damaged: it has .* bytes, its header announces"),
    "metadata that are a list": (lambda h, d: h.update(__metadata__=["x"]), UNREADABLE),
    "metadata that are no texts": (lambda h, d: h.update(__metadata__={"a": 1}), f"{UNREADABLE}: .* not texts"),
    "hole between the places": (hole, BY_LIBRARY),
    "type that torch has not": (with_extra("x", dtype="F8_E8M0", shape=[4]), "is damaged: 'F8_E8M0'"),
    "empty tensor of a shape that torch has not": (
        with_extra("x", 0, shape=[0, 2**63 - 1, 2**63 - 1]),
        "is damaged: Stride calculation overflowed",
    ),
    "integers": (lambda h, d: h["head.bias"].update(dtype="I32"), "head.bias .* stored as torch.int32, which is not"),
    "missing tensor": (without_last, "lacks head.weight"),
    "extra tensor": (with_extra("extra"), "has unexpected tensors: 'extra'"),
    "tensor named with NUL": (with_extra("a\0b"), r"has unexpected tensors: 'a\\x00b'"),
    "wrong shape": (lambda h, d: h["head.bias"].update(shape=[3, 2]), r"head.bias .* has the shape \[3, 2\]"),
    "double precision": (doubled, "head.weight .* is stored as torch.float64: float16 or float32 are read"),
    "NaN weight": (not_finite(float("nan")), "NaN or infinite"),
    "infinite weight": (not_finite(float("-inf")), "NaN or infinite"),
    "flipped bit": (flipped_bit, "is damaged: its bytes are not those that were written"),
    "no digest": (without_metadata("file_sha256"), "has no digest .*: it is damaged, or was not written by charrnn"),
}

METADATA = {
    "no metadata": (lambda h, d: h.pop("__metadata__") and None, "not a charrnn checkpoint"),
    "format of the future": (metadata(charrnn="99"), "not a charrnn checkpoint of format 1"),
    "metadata that are no JSON": (metadata(config="{"), "the metadata of .* cannot be read"),
    "metadata nested without end": (metadata(config="[" * 100_000), "the metadata of .* cannot be read"),
    "metadata with a key twice": (metadata(config='{"cell": "rnn", "cell": "gru"}'), "'cell' occurs twice"),
    "metadata with NaN": (metadata(metrics='{"a": NaN}'), "NaN is not a number"),
    **{
        f"no {key}": (without_metadata(key), f"the {key} must be .*, not None")
        for key in ("name", "config", "vocab", "step", "seed", "recipe", "metrics", "history", "data_sha256")
    },
    "config of a wrong type": (set_metadata("config", [4]), r"the config must be .*, not \[4\]"),
    "cell with a name without end": (config(cell="x" * 100_000, hidden_dim=4), "the cell is 'xxx"),
    "config with a line break": (config(**GPT, **{"\n": 1}), r"minigpt has no '\\n'"),
    "hidden_dim that fills the memory": (config(cell="rnn", hidden_dim=10**9), "hidden_dim is 1000000000"),
    "form as large as allowed": (config(**LARGEST), "lacks blocks.0"),
    "versions that are numbers": (set_metadata("versions", {"torch": 2}), "the versions must be names"),
    "context that fills the memory": (config(**GPT | {"context": 10**12}), "context is 1000000000000"),
    "vocabulary that does not fit": (set_metadata("vocab", "ab"), "a vocabulary of 2 characters"),
    "vocabulary with a character twice": (set_metadata("vocab", "aabcde"), "lists every character once"),
    "vocabulary that is a list": (set_metadata("vocab", ["ab", "c"]), "the vocab must be at most 65536 characters"),
    "vocabulary with half a character": (metadata(vocab=r'"abcde\ud800"'), "surrogates not allowed"),
    "vocabulary without end": (set_metadata("vocab", "a" * 70_000), "the vocab must be .*, not 'aaa.*"),
    "step without end": (set_metadata("step", 10**15), "the step must be .*, not 1000000000000000"),
    "recipe that is nested": (set_metadata("recipe", {"a": [1]}), "the recipe must be at most 64 names"),
    "recipe with steps that are a text": (set_metadata("recipe", {"steps": "9"}), "the steps must be .*, not '9'"),
    "loss below zero": (set_metadata("metrics", {"train_loss_nats": -1}), "the train_loss_nats must be .*, not -1"),
    "history of numbers": (set_metadata("history", [1]), "1 is not a point of a training curve"),
    **{
        f"history with a {key} beyond all bounds": (
            set_metadata("history", [POINT | {"step": 0, key: value}]),
            rf"{key} is {value:g} in a point of a training curve: it must be 0 to".replace("+", r"\+"),
        )
        for key, value in (
            dict.fromkeys(POINT, 1e39) | dict.fromkeys(("train_loss_nats", "val_loss_nats"), 1e16)
        ).items()
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
    "minutes without end": (set_metadata("metrics", {"minutes": 10**10}), "the minutes must be .*, not 1"),
    "metric without end": (set_metadata("metrics", {"a": [1, 1e300]}), "the metrics must be at most 64"),
    "metrics without end": (set_metadata("metrics", {"a": [1] * 65}), "the metrics must be at most 64"),
    "recipe without end": (set_metadata("recipe", {str(i): 1 for i in range(65)}), "the recipe must be at most"),
    "history that goes back": (
        set_metadata("history", [POINT | {"step": 10}, POINT | {"step": 0}]),
        "the steps of the history do not increase",
    ),
    "name that is empty": (set_metadata("name", ""), "the name must be .*, not ''"),
    "name with a line break": (set_metadata("name", "a\nb"), "characters that can be shown"),
    "text of another sha256": (set_metadata("data_sha256", "<b>"), "the data_sha256 must be .*, not '<b>'"),
}

CASES = FILES | METADATA
