"""Damage to any part of any file of a checkpoint: it is refused with a reason, or what is read is the original."""

import json
import struct
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from charrnn import checkpoint
from charrnn.checkpoint import CheckpointError, safe_file
from tests.by_hand import saved

FAST = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None)
RUN = {"step": 4, "losses": [0.1, 1 / 3], "history": []}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A checkpoint with saved steps and, beside it, a run that has not finished."""
    folder = tmp_path_factory.mktemp("whole") / "rnn"
    saved(folder)
    state = {"model.a": torch.randn(3), "rng": torch.Generator().get_state(), "optimizer.0.step": torch.tensor(4.0)}
    checkpoint.save_run(folder, state, RUN)
    return folder


def flipped(content: bytes, bit: int) -> bytes:
    return content[: bit // 8] + bytes([content[bit // 8] ^ 1 << bit % 8]) + content[bit // 8 + 1 :]


def as_earlier_versions_wrote_it(content: bytes) -> bytes:
    """The same file with a digest of its tensors alone."""
    length = struct.unpack("<Q", content[:8])[0]
    header, data = json.loads(content[8 : 8 + length]), content[8 + length :]
    tensors = safe_file.tensors_from_bytes(content)
    del header["__metadata__"]["file_sha256"]
    header["__metadata__"]["digest"] = checkpoint.digest(tensors)
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def test_no_bit_of_a_file_can_be_another_one(folder, tmp_path):
    """A bit of every byte of the length, the header and the data, each in turn; not always the same one of it."""
    content = (folder / "model.safetensors").read_bytes()
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    assert safe_file.read(path).tensors()
    for bit in range(0, 8 * len(content), 7):
        path.write_bytes(flipped(content, bit))
        with pytest.raises(CheckpointError):
            safe_file.read(path).tensors()


@FAST
@given(bits=st.lists(st.floats(0, 1, exclude_max=True), min_size=1, max_size=4, unique=True))
@pytest.mark.parametrize("name", ["model", "steps/000010", "training"])
def test_flipped_bits_are_refused_on_every_way_in(folder, name, bits):
    path = folder / f"{name}.safetensors"
    content = damaged = path.read_bytes()
    for where in {int(bit * 8 * len(content)) for bit in bits}:
        damaged = flipped(damaged, where)
    path.write_bytes(damaged)
    ways = {
        "model": checkpoint.load,
        "steps/000010": lambda it: checkpoint.load(it, 10),
        "training": checkpoint.load_run,
    }
    try:
        with pytest.raises(CheckpointError):
            ways[name](folder)
    finally:
        path.write_bytes(content)


def test_files_of_earlier_versions_are_read_and_their_tensors_checked(folder, tmp_path):
    for name in ("model", "steps/000010", "training"):
        path, new = tmp_path / "rnn" / f"{name}.safetensors", (folder / f"{name}.safetensors").read_bytes()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(as_earlier_versions_wrote_it(new))
        tensors = safe_file.read(path).tensors()
        assert all(torch.equal(tensors[key], value) for key, value in safe_file.tensors_from_bytes(new).items())
    old = checkpoint.describe(tmp_path / "rnn")
    assert old.metrics == checkpoint.describe(folder).metrics and old.saved_steps == [10, 20]
    assert checkpoint.load_run(tmp_path / "rnn")[1] == RUN
    path = tmp_path / "rnn/model.safetensors"
    path.write_bytes(flipped(path.read_bytes(), 8 * path.stat().st_size - 20))
    with pytest.raises(CheckpointError, match="damaged: its tensors"):
        checkpoint.describe(tmp_path / "rnn")
