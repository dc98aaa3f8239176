import json
import os
import stat
import struct
import threading
from typing import Any

import pytest
import torch
from safetensors.torch import save as to_bytes

from charrnn import checkpoint
from charrnn.checkpoint import CheckpointError, safe_file
from charrnn.metrics import Progress
from charrnn.model import CharRNN
from charrnn.vocab import Vocab

VOCAB = Vocab("\n abcé")
HISTORY = [Progress(0, 1.8, 1.9, 0.5, 0.1, 0.0), Progress(10, 1.2, 1.3, 0.4, 0.1, 1.0)]


def saved(folder, **changes):
    rng = torch.Generator().manual_seed(changes.pop("weights", 0))
    model = CharRNN(len(VOCAB), 4)
    for parameter in model.parameters():
        parameter.data.copy_(torch.randn(parameter.shape, generator=rng))
    early = {name: (weight / 2).half() for name, weight in model.state_dict().items()}
    facts: dict[str, Any] = dict(
        step=20,
        seed=3,
        recipe={"steps": 20},
        data_sha256="f" * 64,
        metrics={"val_stream_nats": 1.1},
        history=HISTORY,
        saved={0: early, 10: early},
        passage="ab cab\n",
    )
    checkpoint.save(folder, model, VOCAB, **(facts | changes))
    return model


def rewrite(path, change):
    """Take a safetensors file apart, let `change(header, data)` alter it or return new bytes, put it back together."""
    content = path.read_bytes()
    length = struct.unpack("<Q", content[:8])[0]
    header, data = json.loads(content[8 : 8 + length]), content[8 + length :]
    result = change(header, data)
    if not isinstance(result, bytes):
        text = json.dumps(header).encode()
        result = struct.pack("<Q", len(text)) + text + data
    path.write_bytes(result)


def test_what_was_saved_is_what_is_loaded(tmp_path):
    model = saved(tmp_path / "rnn")
    loaded = checkpoint.load(tmp_path / "rnn")
    assert loaded.vocab == VOCAB
    assert loaded.step == loaded.info.step == 20
    assert loaded.history == HISTORY
    assert (loaded.info.name, loaded.info.cell, loaded.info.hidden_dim, loaded.info.seed) == ("rnn", "rnn", 4, 3)
    assert loaded.info.metrics == {"val_stream_nats": 1.1}
    assert loaded.info.passage == "ab cab\n"
    assert loaded.info.parameters == sum(p.numel() for p in model.parameters())
    assert not loaded.model.training
    for name, weight in model.state_dict().items():
        assert torch.equal(loaded.model.state_dict()[name], weight)


def test_a_saved_step_is_loaded_from_half_precision_with_its_part_of_the_curve(tmp_path):
    model = saved(tmp_path)
    loaded = checkpoint.load(tmp_path, step=10)
    assert checkpoint.describe(tmp_path).saved_steps == [0, 10, 20]
    assert loaded.step == 10
    assert torch.allclose(loaded.model.head.weight, model.head.weight / 2, atol=2e-3)
    assert loaded.model.head.weight.dtype == torch.float32
    assert [p.step for p in checkpoint.load(tmp_path, step=0).history] == [0]


def test_a_step_that_was_not_saved_is_refused_with_those_that_were(tmp_path):
    saved(tmp_path)
    with pytest.raises(CheckpointError, match="no step 5: give one of 0, 10, 20"):
        checkpoint.load(tmp_path, step=5)


@pytest.mark.parametrize("difference", [{"seed": 4}, {"recipe": {"steps": 30}}, {"data_sha256": "e" * 64}])
def test_a_step_of_another_run_is_not_offered(tmp_path, difference):
    saved(tmp_path / "a")
    saved(tmp_path / "b", **difference)
    os.replace(tmp_path / "b/steps/000010.safetensors", tmp_path / "a/steps/000010.safetensors")
    assert checkpoint.describe(tmp_path / "a").saved_steps == [0, 20]
    with pytest.raises(CheckpointError, match="no step 10: give one of 0, 20"):
        checkpoint.load(tmp_path / "a", step=10)


def test_a_step_whose_file_is_damaged_or_misnamed_is_not_offered(tmp_path):
    saved(tmp_path)
    os.rename(tmp_path / "steps/000010.safetensors", tmp_path / "steps/000011.safetensors")
    (tmp_path / "steps/000000.safetensors").write_bytes(b"")
    assert checkpoint.describe(tmp_path).saved_steps == [20]


@pytest.mark.parametrize("writes", range(6))
def test_a_crash_between_any_two_writes_leaves_a_whole_checkpoint(tmp_path, monkeypatch, writes):
    old = saved(tmp_path, seed=1)
    replace, done = os.replace, []

    def crash_after(*arguments):
        if len(done) == writes:
            raise KeyboardInterrupt
        replace(*arguments)
        done.append(arguments)

    monkeypatch.setattr(os, "replace", crash_after)
    with pytest.raises(KeyboardInterrupt):
        saved(tmp_path, seed=2, weights=2)
    monkeypatch.undo()
    loaded = checkpoint.load(tmp_path)
    assert torch.equal(loaded.model.head.weight, old.head.weight) == (loaded.info.seed == 1) == (writes == 0)
    for step in loaded.info.saved_steps:
        checkpoint.load(tmp_path, step)


def test_saving_again_removes_the_steps_of_the_run_before(tmp_path):
    saved(tmp_path)
    saved(tmp_path, saved={})
    assert checkpoint.describe(tmp_path).saved_steps == [20]


def test_files_can_be_read_by_everyone_and_nothing_temporary_is_left(tmp_path):
    saved(tmp_path)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) == 6
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o644 for path in files)


def test_the_copies_for_people_say_what_the_model_says(tmp_path):
    saved(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text(encoding="utf-8"))
    assert config["vocab"] == VOCAB.characters
    assert config["metrics"] == {"val_stream_nats": 1.1}
    history = json.loads((tmp_path / "history.json").read_text(encoding="utf-8"))
    assert [Progress(**point) for point in history] == HISTORY


def test_an_unfinished_run_survives_its_file(tmp_path):
    tensors = {"model.a": torch.randn(3), "rng": torch.Generator().get_state(), "optimizer.0.step": torch.tensor(4.0)}
    checkpoint.save_run(tmp_path, tensors, {"step": 4, "losses": [0.1, 1 / 3]})
    assert checkpoint.holds_run(tmp_path)
    loaded, run = checkpoint.load_run(tmp_path)
    assert run == {"step": 4, "losses": [0.1, 1 / 3]}
    assert all(torch.equal(loaded[name], tensor) for name, tensor in tensors.items())
    checkpoint.remove_run(tmp_path)
    with pytest.raises(CheckpointError, match="no unfinished run"):
        checkpoint.load_run(tmp_path)


def test_a_lab_solution_loads_with_the_vocabulary_of_its_corpus(tmp_path):
    solution = CharRNN(len(VOCAB), 4)
    (tmp_path / "solution.safetensors").write_bytes(to_bytes(solution.state_dict()))
    loaded = checkpoint.load_state_dict(tmp_path / "solution.safetensors", VOCAB)
    ids = torch.tensor([VOCAB.encode("abc a")])
    assert torch.equal(loaded(ids)[0], solution(ids)[0])
    with pytest.raises(CheckpointError, match="vocabulary of 2 characters"):
        checkpoint.load_state_dict(tmp_path / "solution.safetensors", Vocab("ab"))


def set_metadata(key, value):
    def change(header, data):
        header["__metadata__"][key] = json.dumps(value)

    return change


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


def whole(header, data):
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


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
    "another architecture": (set_metadata("config", {"cell": "xlstm", "hidden_dim": 4}), "'xlstm' model"),
    "config of a wrong type": (set_metadata("config", [4]), "config .* type dict"),
    "config without a cell": (set_metadata("config", {}), "None model"),
    "hidden_dim of a wrong type": (set_metadata("config", {"cell": "rnn", "hidden_dim": True}), "hidden_dim True"),
    "hidden_dim out of range": (set_metadata("config", {"cell": "rnn", "hidden_dim": 0}), "hidden_dim 0"),
    "hidden_dim that would fill the memory": (
        set_metadata("config", {"cell": "rnn", "hidden_dim": 10**9}),
        "take",
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


def test_what_could_not_be_read_again_is_not_written(tmp_path, monkeypatch):
    saved(tmp_path)
    before = (tmp_path / "model.safetensors").read_bytes()
    with pytest.raises(ValueError):
        saved(tmp_path, metrics={"val_stream_nats": float("nan")})
    monkeypatch.setattr(safe_file, "MAX_HEADER_BYTES", 100)
    with pytest.raises(CheckpointError, match="in its header: too many"):
        saved(tmp_path)
    assert (tmp_path / "model.safetensors").read_bytes() == before


def test_a_full_disk_leaves_what_was_there_and_nothing_half_written(tmp_path, monkeypatch):
    saved(tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        saved(tmp_path, weights=1)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_one_bad_checkpoint_does_not_hide_the_others(tmp_path):
    for name in ("good", "bad", "fine"):
        saved(tmp_path / name)
    (tmp_path / "bad/model.safetensors").write_bytes(b"")
    (tmp_path / "no-checkpoint").mkdir()
    good, refused = checkpoint.list_checkpoints(tmp_path)
    assert [info.name for info in good] == ["fine", "good"]
    assert list(refused) == ["bad"]


def test_a_folder_that_is_a_checkpoint_itself_keeps_the_name_it_was_saved_as(tmp_path):
    saved(tmp_path / "rnn")
    os.rename(tmp_path / "rnn", tmp_path / "0123abcd")
    assert [info.name for info in checkpoint.list_checkpoints(tmp_path / "0123abcd")[0]] == ["rnn"]
    assert [info.name for info in checkpoint.list_checkpoints(tmp_path)[0]] == ["0123abcd"]


def test_a_reader_meets_the_old_or_the_new_checkpoint_and_never_a_mixture(tmp_path):
    models = [saved(tmp_path, weights=i, metrics={"i": i}) for i in (0, 1)]
    stop = threading.Event()

    def keep_writing():
        while not stop.is_set():
            for i in (0, 1):
                saved(tmp_path, weights=i, metrics={"i": i})

    writer = threading.Thread(target=keep_writing)
    writer.start()
    try:
        for _ in range(200):
            loaded = checkpoint.load(tmp_path)
            assert torch.equal(loaded.model.head.weight, models[loaded.info.metrics["i"]].head.weight)
    finally:
        stop.set()
        writer.join()
