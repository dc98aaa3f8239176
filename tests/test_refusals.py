"""
Malformed checkpoints are refused in bounded time and memory.

The cases are in `tests/malformed_checkpoints.py`. See also `tests/test_resume_state.py` and `tests/test_damage.py`.
"""

import io
import os
import re
import resource
import struct
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save as to_bytes

from charrnn import checkpoint
from charrnn.checkpoint import CheckpointError, safetensors_io
from charrnn.commands import sample
from charrnn.control_char_escapes import printable
from charrnn.ui.server.checkpoint_store import Store
from tests.checkpoint_files import VOCAB, edit_safetensors, set_metadata, write_random
from tests.cli import run_main
from tests.hub_client import commit_files
from tests.malformed_checkpoints import CASES, with_tensor


def write_bad(folder: Path, pristine: bytes, name: str) -> str:
    """Write the case of this name into a subfolder; its name."""
    target = folder / name.replace(" ", "-").replace("^", "")
    target.mkdir(parents=True)
    (target / "model.safetensors").write_bytes(pristine)
    edit_safetensors(target / "model.safetensors", CASES[name][0])
    return target.name


def is_one_line(reason: str) -> bool:
    return printable(reason) == reason and len(reason) <= 1001


@pytest.fixture(scope="module")
def pristine(tmp_path_factory) -> bytes:
    folder = tmp_path_factory.mktemp("good")
    write_random(folder)
    return (folder / "model.safetensors").read_bytes()


@pytest.fixture(scope="module")
def bad_root(tmp_path_factory, pristine) -> Path:
    """A folder with every malformed checkpoint and two valid ones."""
    root = tmp_path_factory.mktemp("bad")
    for name in CASES:
        write_bad(root, pristine, name)
    for name in ("a-good-one", "zebra"):
        write_random(root / name)
    return root


@pytest.fixture(scope="module")
def from_folder(bad_root) -> dict[str, str]:
    good, refused = checkpoint.list_checkpoints(bad_root)
    assert [info.name for info in good] == ["a-good-one", "zebra"], "no other is listed or hidden"
    return {name: str(reason) for name, reason in refused.items()}


@pytest.mark.parametrize("name", CASES)
def test_bad_checkpoint_is_refused_with_reason(name, from_folder):
    reason = from_folder[name.replace(" ", "-").replace("^", "")]
    assert re.search(CASES[name][1], reason) and is_one_line(reason)


def test_bad_checkpoint_of_hub_is_refused(server, pristine, tmp_path):
    names = [write_bad(tmp_path / "bad", pristine, name) for name in ("zip of torch.save", "NaN weight")]
    write_random(tmp_path / "bad/good")
    paths = tmp_path.glob("bad/*/*.safetensors")
    commit_files(server, "me/bad", {str(path.relative_to(tmp_path / "bad")): path.read_bytes() for path in paths})
    (found,) = server.call(["resolve", "me/bad"])
    good, refused = checkpoint.list_checkpoints(Path(found["folder"]))
    assert [info.name for info in good] == ["good"] and sorted(refused) == sorted(names)


def test_bad_checkpoint_is_not_offered(bad_root):
    store = Store(bad_root)
    assert [info.name for info in store.checkpoints()] == ["a-good-one", "zebra"]
    assert store.load().info.name == "a-good-one"
    with pytest.raises(CheckpointError, match="^head.weight in NaN-weight/model.safetensors holds NaN"):
        store.load("NaN-weight")
    with pytest.raises(CheckpointError, match="there is no checkpoint 'nowhere': choose one of a-good-one, zebra"):
        store.load("nowhere")
    refused = checkpoint.list_checkpoints(bad_root)[1]
    assert store.refused().endswith(f"; and {len(refused) - 3} more") and str(bad_root) not in store.refused()


@pytest.mark.parametrize("name", ["zip of torch.save", "hole between the places", "extra tensor", "NaN weight"])
def test_bad_state_dict_is_refused_with_exit_code_2(tmp_path, capsys, pristine, name):
    path, text = tmp_path / write_bad(tmp_path, pristine, name) / "model.safetensors", tmp_path / "input.txt"
    text.write_text(VOCAB.characters)
    result = run_main(capsys, sample.main, "--state-dict", path, "--data", text, "--prompt", "a", "--chars", "3")
    assert (result.code, result.out) == (2, "")
    assert re.search(CASES[name][1], result.err) and is_one_line(result.err.rstrip("\n"))


LAB = {"embed.weight": (6, 4), "cell.W_ih.weight": (4, 4), "cell.W_hh.weight": (4, 4), "cell.W_hh.bias": (4,)}
LAB |= {"head.weight": (6, 4), "head.bias": (6,)}


@pytest.mark.parametrize(
    ("shapes", "reason"),
    [
        ({"embed.weight": (6,)}, "no embed.weight"),
        ({"cell.W_hh.weight": ()}, "no cell.W_hh.weight"),
        ({"cell.W_hh.weight": (8, 4)}, r"cell.W_hh.weight .* shape \[8, 4\]"),
        ({"cell.W_hh.weight": (12, 4)}, "cell.W_.* 'gru'"),
        ({"embed.weight": (6, 0)}, "hidden_dim is 0"),
        ({"cell.norm.h.weight": (4,)}, "lacks cell.norm.h.bias"),
        ({"blocks.0.weight": (4, 4)}, "has unexpected tensors: 'blocks.0.weight'"),
    ],
    ids=str,
)
def test_foreign_state_dict_is_refused(tmp_path, shapes, reason):
    path = tmp_path / "solution.safetensors"
    path.write_bytes(to_bytes({name: torch.zeros(shape) for name, shape in (LAB | shapes).items()}))
    with pytest.raises(CheckpointError, match=reason):
        checkpoint.load_state_dict(path, VOCAB)


def test_state_dict_may_be_a_link(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/mine.safetensors").write_bytes(to_bytes({n: torch.zeros(s) for n, s in LAB.items()}))
    (tmp_path / "solution.safetensors").symlink_to(tmp_path / "elsewhere/mine.safetensors")
    assert checkpoint.load_state_dict(tmp_path / "solution.safetensors", VOCAB).config["hidden_dim"] == 4


def peak_kib() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


BOMBS = [name for name in CASES if "fill" in name or "bomb" in name or "allowed" in name or "2^6" in name]


@pytest.mark.parametrize("name", BOMBS)
def test_bomb_is_refused_before_memory_is_taken(tmp_path, pristine, name):
    folder = tmp_path / write_bad(tmp_path, pristine, name)
    for read in (checkpoint.describe, checkpoint.load):
        before = peak_kib()
        with pytest.raises(CheckpointError, match=CASES[name][1]):
            read(folder)
        assert peak_kib() - before < 50_000


def test_reading_allocates_no_more_than_file(tmp_path, monkeypatch):
    sizes = []

    class RecordedFile(io.FileIO):
        def read(self, size=-1):
            sizes.append(size)
            return super().read(size)

    write_random(tmp_path)
    monkeypatch.setattr(safetensors_io, "open", RecordedFile, raising=False)
    checkpoint.load(tmp_path)
    assert sizes and 0 < max(sizes) <= (tmp_path / "model.safetensors").stat().st_size + 1


def test_metadata_reader_refuses_for_same_reasons(tmp_path, pristine):
    path, compared = tmp_path / "model.safetensors", 0
    for name in CASES.keys() - {"flipped bit"}:  # the data are not read
        path.write_bytes(pristine)
        edit_safetensors(path, CASES[name][0])
        refusals = []
        for read in (safetensors_io.read_metadata, lambda path: safetensors_io.read(path).metadata()):
            try:
                read(path)
            except CheckpointError as refusal:
                refusals.append(str(refusal))
        assert len(refusals) in (0, 2) and len(set(refusals)) == len(refusals) / 2, name
        compared += bool(refusals)
    assert compared >= 25


def test_size_bomb_is_refused_unread(tmp_path):
    write_random(tmp_path)
    os.truncate(tmp_path / "model.safetensors", 1 << 40)  # a sparse file
    before = peak_kib()
    with pytest.raises(CheckpointError, match="has 1099511627776 bytes; more than 1073741824 are refused"):
        checkpoint.describe(tmp_path)
    assert peak_kib() - before < 50_000


def test_special_files_are_refused(tmp_path):
    for name in ("good", "pipe", "folder", "loop", "nowhere"):
        (tmp_path / name).mkdir()
    write_random(tmp_path / "good")
    os.mkfifo(tmp_path / "pipe/model.safetensors")  # `open` would wait for a writer
    (tmp_path / "folder/model.safetensors").mkdir()
    (tmp_path / "loop/model.safetensors").symlink_to("model.safetensors")
    (tmp_path / "nowhere/model.safetensors").symlink_to("gone.safetensors")
    good, refused = checkpoint.list_checkpoints(tmp_path)
    assert [info.name for info in good] == ["good"]
    assert "is not a file" in str(refused["pipe"])
    assert refused.keys() >= {"pipe", "folder"}
    for name in refused.keys() - {"pipe"}:
        assert "cannot read" in str(refused[name])


def test_unreadable_folder_hides_no_other(tmp_path, monkeypatch):
    for name in ("good", "secret"):
        write_random(tmp_path / name)
    real = os.open

    def deny_secret(path, *arguments, **options):
        if "secret" in str(path):
            raise PermissionError(13, "Permission denied")
        return real(path, *arguments, **options)

    monkeypatch.setattr(os, "open", deny_secret)
    good, refused = checkpoint.list_checkpoints(tmp_path)
    assert [info.name for info in good] == ["good"]
    assert "cannot read" in str(refused["secret"]) and "Permission denied" in str(refused["secret"])


@pytest.mark.skipif(os.name != "posix", reason="other systems have Unicode names")
def test_folder_with_undecodable_name_is_refused(tmp_path):
    for name in ("good", os.fsdecode(b"bad\xff")):
        write_random(tmp_path / "new")
        os.rename(tmp_path / "new", tmp_path / name)
    good, refused = checkpoint.list_checkpoints(tmp_path)
    assert [info.name for info in good] == ["good"]
    (reason,) = map(str, refused.values())
    assert "characters that can be shown" in reason and reason.encode()


def test_link_out_of_folder_is_not_followed(tmp_path):
    write_random(tmp_path / "mine")
    write_random(tmp_path / "bundled/rnn")
    (tmp_path / "secret.txt").write_text("the password")
    for name, target in {"passage.txt": "secret.txt", "model.safetensors": "mine/model.safetensors"}.items():
        path = tmp_path / "bundled/rnn" / name
        path.unlink()
        path.symlink_to(tmp_path / target)
        if name == "passage.txt":
            assert checkpoint.describe(tmp_path / "bundled/rnn").passage == ""
    with pytest.raises(CheckpointError, match="is a link that leads out of its folder") as refusal:
        checkpoint.describe(tmp_path / "bundled/rnn")
    assert "mine" not in str(refusal.value), "the target is not shown"


def test_link_within_folder_is_followed(tmp_path):
    write_random(tmp_path / "real")
    os.rename(tmp_path / "real/model.safetensors", tmp_path / "real/v2.safetensors")
    (tmp_path / "real/model.safetensors").symlink_to("v2.safetensors")
    (tmp_path / "root").mkdir()
    (tmp_path / "root/rnn").symlink_to(tmp_path / "real")
    assert checkpoint.load(tmp_path / "root/rnn").info.passage == "ab cab\n"
    assert len(checkpoint.list_checkpoints(tmp_path / "root")[0]) == 1


@pytest.mark.parametrize("content", [b"\xff\xfe", b"a" * (2 << 20)], ids=["no UTF-8", "too long"])
def test_invalid_passage_is_empty(tmp_path, content):
    write_random(tmp_path)
    (tmp_path / "passage.txt").write_bytes(content)
    assert checkpoint.load(tmp_path).info.passage == ""


def test_file_changed_while_read_is_whole_or_refused(tmp_path, pristine):
    """A thread truncates, extends and swaps the file in place."""
    path, stop = tmp_path / "model.safetensors", threading.Event()
    biases = [write_random(tmp_path).head.bias, write_random(tmp_path / "other", weights_seed=1).head.bias]
    contents = [path.read_bytes(), (tmp_path / "other/model.safetensors").read_bytes()]

    def disturb():
        while not stop.is_set():
            for content in contents:
                path.write_bytes(content)  # truncates the file first
                os.truncate(path, len(content) // 2)
                path.write_bytes(content)

    writer = threading.Thread(target=disturb)
    writer.start()
    loaded = refused = 0
    try:
        while loaded < 20 or refused < 20:  # both occur, in any ratio
            try:
                bias = checkpoint.load(tmp_path).model.head.bias
                assert any(torch.equal(bias, expected) for expected in biases)
                loaded += 1
            except CheckpointError:
                refused += 1
    finally:
        stop.set()
        writer.join()
    path.write_bytes(contents[0])
    assert torch.equal(checkpoint.load(tmp_path).model.head.bias, biases[0])


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
FAST = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None)


def loads_or_is_refused(folder: Path) -> None:
    """Load or raise CheckpointError, in bounded memory."""
    before = peak_kib()
    for read in (checkpoint.describe, checkpoint.load):
        try:
            read(folder)
        except CheckpointError as refusal:
            assert is_one_line(str(refusal))
    try:
        checkpoint.load_state_dict(folder / "model.safetensors", VOCAB)
    except CheckpointError as refusal:
        assert is_one_line(str(refusal))
    assert peak_kib() - before < 50_000


def changed_file_loads_or_is_refused(folder: Path, pristine: bytes, change: Callable) -> None:
    (folder / "model.safetensors").write_bytes(pristine)
    edit_safetensors(folder / "model.safetensors", change)
    loads_or_is_refused(folder)


@FAST
@given(content=st.binary(max_size=400), length=st.none() | st.integers(0, 500))
def test_arbitrary_bytes_load_or_are_refused(tmp_path_factory, content, length):
    folder = tmp_path_factory.getbasetemp()
    start = b"" if length is None else struct.pack("<Q", length) + b"{"
    (folder / "model.safetensors").write_bytes(start + content)
    loads_or_is_refused(folder)


@FAST
@given(
    changes=st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=8), cut=st.floats(0, 1)
)
def test_changed_bytes_load_or_are_refused(tmp_path_factory, pristine, changes, cut):
    folder, content = tmp_path_factory.getbasetemp(), bytearray(pristine)
    for position, value in changes:
        content[position % len(content)] = value
    (folder / "model.safetensors").write_bytes(content[: int(len(content) * cut)] if cut > 0.3 else content)
    loads_or_is_refused(folder)


@FAST
@given(key=st.sampled_from(("name", "config", "vocab", "step", "seed", "recipe", "metrics", "history")), value=ANYTHING)
def test_arbitrary_metadata_load_or_are_refused(tmp_path_factory, pristine, key, value):
    changed_file_loads_or_is_refused(tmp_path_factory.getbasetemp(), pristine, set_metadata(key, value))


@FAST
@given(field=st.sampled_from(("dtype", "shape", "data_offsets", "other")), value=ANYTHING)
def test_arbitrary_tensor_entries_load_or_are_refused(tmp_path_factory, pristine, field, value):
    changed_file_loads_or_is_refused(tmp_path_factory.getbasetemp(), pristine, with_tensor(**{field: value}))
