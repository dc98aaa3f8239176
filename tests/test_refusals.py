"""What is no checkpoint is refused with its reason: damaged files, hostile forms, state dicts of something else."""

import json
import os
import resource
import struct

import pytest
import torch
from safetensors.torch import save as to_bytes

from charrnn import checkpoint
from charrnn.checkpoint import CheckpointError, safe_file
from tests.by_hand import VOCAB, rewrite, saved, set_metadata, whole

LAB = {"embed.weight": (6, 4), "cell.W_ih.weight": (4, 4), "cell.W_hh.weight": (4, 4), "cell.W_hh.bias": (4,)} | {
    "head.weight": (6, 4),
    "head.bias": (6,),
}


@pytest.mark.parametrize(
    ("shapes", "reason"),
    [
        ({"embed.weight": (6,)}, "no embed.weight"),
        ({"cell.W_hh.weight": ()}, "no cell.W_hh.weight"),
        ({"cell.W_hh.weight": (8, 4)}, r"cell.W_hh.weight .* shape \[8, 4\]"),
        ({"cell.W_hh.weight": (12, 4)}, "cell.W_.* 'gru'"),
        ({"embed.weight": (6, 0)}, "hidden_dim is 0"),
        ({"cell.norm.h.weight": (4,)}, "lacks cell.norm.h.bias"),
        ({"blocks.0.weight": (4, 4)}, "has not: 'blocks.0.weight'"),
    ],
    ids=str,
)
def test_a_state_dict_that_is_none_of_a_lab_solution_is_refused(tmp_path, shapes, reason):
    path = tmp_path / "solution.safetensors"
    path.write_bytes(to_bytes({name: torch.zeros(shape) for name, shape in (LAB | shapes).items()}))
    with pytest.raises(CheckpointError, match=reason):
        checkpoint.load_state_dict(path, VOCAB)


def set_tensor(name, **fields):
    def change(header, data):
        header[name] = header[name] | fields

    return change


def drop_tensor(header, data):
    rest = {name: tensor for name, tensor in header.items() if name != "head.bias"}
    end = max(t["data_offsets"][1] for name, t in rest.items() if name != "__metadata__")
    text = json.dumps(rest).encode()
    return struct.pack("<Q", len(text)) + text + data[:end]


def extra_tensor(header, data):
    header["extra"] = {"dtype": "F32", "shape": [1], "data_offsets": [len(data), len(data) + 4]}
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data + bytes(4)


def duplicate_key(header, data):
    text = json.dumps(header)
    text = text[:-1] + ', "head.bias": ' + json.dumps(header["head.bias"]) + "}"
    return struct.pack("<Q", len(text.encode())) + text.encode() + data


def not_finite(value):
    def change(header, data):
        del header["__metadata__"]["digest"]  # as another program would write it
        return whole(header, data[:-4] + struct.pack("<f", value))

    return change


def flipped_bit(header, data):
    return whole(header, data[:9] + bytes([data[9] ^ 1]) + data[10:])


CASES = {
    "empty file": (lambda h, d: b"", "not a safetensors file"),
    "a few bytes": (lambda h, d: b"\x01\x02", "not a safetensors file"),
    "web page": (lambda h, d: b"<html>404: not here</html>", "not a safetensors file"),
    "pickle": (lambda h, d: b"\x80\x04\x95" + bytes(40), "pickled files are never opened"),
    "zip of torch.save": (lambda h, d: b"PK\x03\x04" + bytes(40), "pickled files are never opened"),
    "git-LFS pointer": (lambda h, d: b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "git lfs pull"),
    "header longer than the file": (lambda h, d: struct.pack("<Q", 10**5) + b"{}", "announces a header"),
    "header of 2^63 bytes": (lambda h, d: struct.pack("<Q", 2**63) + b"{}", "announces a header"),
    "header too large": (
        lambda h, d: struct.pack("<Q", 2 << 20) + b"{" + b" " * (2 << 20),
        "announces a header",
    ),
    "header that is no JSON": (lambda h, d: struct.pack("<Q", 5) + b"{oops" + d, "header of .* cannot be read"),
    "header nested without end": (
        lambda h, d: struct.pack("<Q", 200_005) + b'{"a":' + b"[" * 200_000 + d,
        "header of .* cannot be read",
    ),
    "duplicate key": (duplicate_key, "head.bias' stands there twice"),
    "data cut off": (lambda h, d: whole(h, d[:-4]), "is damaged"),
    "data appended": (lambda h, d: whole(h, d + b"more"), "is damaged"),
    "flipped bit": (flipped_bit, "is damaged"),
    "missing tensor": (drop_tensor, "lacks head.bias"),
    "extra tensor": (extra_tensor, "has not: 'extra'"),
    "wrong shape": (set_tensor("head.bias", shape=[3, 2]), r"head.bias .* shape \[3, 2\]"),
    "wrong dtype": (set_tensor("head.bias", dtype="I32"), "stored as I32"),
    "NaN weight": (not_finite(float("nan")), "NaN or infinite"),
    "infinite weight": (not_finite(float("-inf")), "NaN or infinite"),
    "tensor without a shape": (set_tensor("head.bias", shape=6), "header of .* cannot be read"),
    "tensor that is a number": (lambda h, d: h.update({"head.bias": 6}), "header of .* cannot be read"),
    "no metadata": (lambda h, d: h.pop("__metadata__") and None, "not a charrnn checkpoint"),
    "metadata of another kind": (lambda h, d: h.update(__metadata__=["x"]), "header of .* cannot be read"),
    "future format": (lambda h, d: h["__metadata__"].update(charrnn="99"), "format 1"),
    "metadata that is no text": (lambda h, d: h["__metadata__"].update(step=3), "header of .* cannot be read"),
    "NaN in the metadata": (
        lambda h, d: h["__metadata__"].update(metrics='{"a": NaN}'),
        "NaN is not a number",
    ),
    "another architecture": (set_metadata("config", {"cell": "xlstm", "hidden_dim": 4}), "the cell is 'xlstm'"),
    "config of a wrong type": (set_metadata("config", [4]), "config .* type dict"),
    "config without a cell": (set_metadata("config", {}), "the cell is None"),
    "cell of a wrong type": (set_metadata("config", {"cell": ["rnn"], "hidden_dim": 4}), r"the cell is \['rnn'\]"),
    "config without hidden_dim": (set_metadata("config", {"cell": "lstm"}), "no hidden_dim"),
    "config of a later version": (
        set_metadata("config", {"cell": "lstm", "hidden_dim": 4, "peepholes": True}),
        "lstm has no 'peepholes'",
    ),
    "config of another cell": (set_metadata("config", {"cell": "lstm", "hidden_dim": 4}), "shape .* take"),
    "layer norm where there is none": (
        set_metadata("config", {"cell": "rnn", "hidden_dim": 4, "layer_norm": True}),
        "lacks cell.norm.h.bias",
    ),
    "vocabulary that does not fit": (set_metadata("vocab", "ab"), "vocabulary of 2 characters"),
    "empty vocabulary": (set_metadata("vocab", ""), "metadata of"),
    "vocabulary with a character twice": (set_metadata("vocab", "aabcde"), "metadata of"),
    "vocabulary of a wrong type": (set_metadata("vocab", ["a", "b"]), "vocab .* type str"),
    "step of a wrong type": (set_metadata("step", True), "step True.* type int"),
    "metrics of a wrong type": (set_metadata("metrics", None), "metrics None.* type dict"),
    "history of a wrong kind": (set_metadata("history", [{"step": 1}]), "metadata of .* not a point"),
}


@pytest.mark.parametrize(("mutation", "reason"), CASES.values(), ids=CASES.keys())
def test_a_bad_file_is_refused_with_its_reason(tmp_path, mutation, reason):
    saved(tmp_path)
    rewrite(tmp_path / "model.safetensors", mutation)
    with pytest.raises(CheckpointError, match=reason):
        checkpoint.load(tmp_path)


GPT = {"cell": "minigpt", "hidden_dim": 8, "layers": 2, "heads": 2, "context": 8}


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ({"cell": "rnn", "hidden_dim": True}, "hidden_dim is True"),
        ({"cell": "rnn", "hidden_dim": 4.0}, "hidden_dim is 4.0"),
        ({"cell": "rnn", "hidden_dim": "4"}, "hidden_dim is '4'"),
        ({"cell": "rnn", "hidden_dim": 0}, "hidden_dim is 0"),
        ({"cell": "rnn", "hidden_dim": -(10**30)}, "hidden_dim is -1000"),
        ({"cell": "rnn", "hidden_dim": 10**9}, "hidden_dim is 1000000000"),
        ({"cell": "lstm", "hidden_dim": 4, "layer_norm": 1}, "layer_norm is 1"),
        ({"cell": "gru", "hidden_dim": 4, "layers": 2}, "gru has no 'layers'"),
        (GPT | {"layers": 10**9}, "layers is 1000000000"),
        (GPT | {"layers": True}, "layers is True"),
        (GPT | {"layers": 0}, "layers is 0"),
        (GPT | {"heads": 0}, "heads is 0"),
        (GPT | {"heads": 3}, "heads that divide"),
        (GPT | {"heads": 8}, "give even"),
        (GPT | {"context": 1}, "context is 1"),
        (GPT | {"context": 10**12}, "context is 1000000000000"),
        (GPT | {"layer_norm": True}, "minigpt has no 'layer_norm'"),
        (GPT | {"\n": 1}, r"minigpt has no '\\n'"),
    ],
    ids=str,
)
def test_a_hostile_form_is_refused_in_one_line_before_memory_is_taken(tmp_path, config, reason):
    saved(tmp_path)
    rewrite(tmp_path / "model.safetensors", set_metadata("config", config))
    for read in (checkpoint.describe, checkpoint.load):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        with pytest.raises(CheckpointError, match=reason) as refusal:
            read(tmp_path)
        assert "\n" not in str(refusal.value)
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000, "kilobytes"


def test_the_largest_form_that_is_allowed_takes_no_memory_until_its_weights_are_there(tmp_path):
    saved(tmp_path)
    largest = {"cell": "minigpt", "hidden_dim": 4096, "layers": 64, "heads": 64, "context": 65536}  # 13 billion weights
    rewrite(tmp_path / "model.safetensors", set_metadata("config", largest))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(CheckpointError, match="lacks blocks.0"):
        checkpoint.load(tmp_path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000, "kilobytes"


def test_the_header_alone_is_refused_for_the_same_reasons(tmp_path):
    """All but those that are in the tensors: whoever wants these has to read them."""
    in_the_tensors = {"flipped bit", "NaN weight", "infinite weight"}
    path = tmp_path / "model.safetensors"
    saved(tmp_path)
    pristine, compared = path.read_bytes(), 0
    for name, (mutation, _) in CASES.items():
        path.write_bytes(pristine)
        rewrite(path, mutation)
        refusals = []
        for read in (safe_file.read, safe_file.read_header):
            try:
                read(path).metadata()
            except CheckpointError as refusal:
                refusals.append(str(refusal))
        assert len(refusals) in (0, 2) and len(set(refusals)) == len(refusals) / 2, name
        compared += bool(refusals)
        assert not (refusals and name in in_the_tensors)
    assert compared >= 18


def test_a_file_of_a_few_bytes_that_looks_like_a_header_is_refused(tmp_path):
    path = tmp_path / "model.safetensors"
    for content in (
        struct.pack("<Q", 2) + b"{}",
        struct.pack("<Q", 2) + b"{}" + bytes(100),
        struct.pack("<Q", 1) + b"{",
    ):
        path.write_bytes(content)
        for read in (safe_file.read, safe_file.read_header):
            with pytest.raises(CheckpointError):
                read(path).metadata()


def test_a_missing_or_oversized_file_is_refused(tmp_path, monkeypatch):
    with pytest.raises(CheckpointError, match="cannot read"):
        checkpoint.load(tmp_path)
    saved(tmp_path)
    monkeypatch.setattr(safe_file, "MAX_FILE_BYTES", 100)
    with pytest.raises(CheckpointError, match="more than 100 are refused"):
        checkpoint.load(tmp_path)


def test_what_is_no_file_is_not_read(tmp_path):
    os.mkfifo(tmp_path / "model.safetensors")
    keep_open = os.open(tmp_path / "model.safetensors", os.O_RDWR)
    try:
        with pytest.raises(CheckpointError, match="is not a file"):
            checkpoint.load(tmp_path)
    finally:
        os.close(keep_open)
