"""Locks, read-only folders, concurrent writers and readers."""

import os
import shutil
import subprocess
import sys
import threading

import pytest

from charrnn import checkpoint
from charrnn.checkpoint import CheckpointError
from charrnn.checkpoint.safetensors_io import write_bytes
from charrnn.ui.server.checkpoint_store import Store
from tests.checkpoint_files import write_random
from tests.cli import ROOT

pytestmark = pytest.mark.process


def temporaries(folder):
    return [path for path in folder.rglob("*") if path.name.endswith(".tmp")]


def test_read_only_checkpoint_loads(tmp_path, monkeypatch):
    write_random(tmp_path / "rnn")

    def refuse(*arguments, **more):
        raise OSError(30, "Read-only file system")

    for name in ("mkdir", "replace", "unlink", "chmod", "fsync"):
        monkeypatch.setattr(os, name, refuse)
    assert Store(tmp_path).load("rnn").info.step == 20


def test_lock_without_fcntl_excludes_second_writer(tmp_path, monkeypatch):
    """On Windows a file in the temporary folder is locked."""
    monkeypatch.setattr("charrnn.checkpoint.lock.fcntl", None)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    out = tmp_path / "rnn"
    with checkpoint.folder_lock(out) as hold:
        (out / "kept").touch()
        hold.renew()
        with pytest.raises(CheckpointError, match="another run"), checkpoint.folder_lock(out):
            pass
        with checkpoint.folder_lock(tmp_path / "other"):
            pass
        assert [path.name for path in out.iterdir()] == ["kept"]
    with checkpoint.folder_lock(out):
        pass


def test_lock_of_killed_process_is_released(tmp_path):
    code = "import time, pathlib\nfrom charrnn.checkpoint import folder_lock\n"
    code += f"with folder_lock(pathlib.Path({str(tmp_path)!r})):"
    writer = subprocess.Popen(
        [sys.executable, "-c", f"{code}\n print('held', flush=True); time.sleep(60)"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    with writer:
        assert writer.stdout is not None and writer.stdout.readline() == "held\n"
        with pytest.raises(CheckpointError), checkpoint.folder_lock(tmp_path):
            pass
        writer.kill()
        writer.wait()
    with checkpoint.folder_lock(tmp_path):
        pass


def test_temp_files_of_locked_folder_are_removed(tmp_path):
    ours = [tmp_path / ".charrnn-config.json.x1.tmp", tmp_path / "steps" / ".charrnn-000010.safetensors.x2.tmp"]
    others = [
        tmp_path / ".editor.tmp",
        tmp_path / "steps" / "notes.tmp",
        tmp_path / "b" / ".charrnn-config.json.x3.tmp",
    ]
    for path in (*ours, *others):
        path.parent.mkdir(exist_ok=True)
        path.touch()
    with checkpoint.folder_lock(tmp_path):
        assert not any(path.exists() for path in ours) and all(path.exists() for path in others)


def test_concurrent_writers_never_mix(tmp_path):
    """Without a lock, each writer uses a temporary file of its own."""
    contents = [bytes([i]) * 200_000 for i in range(4)]

    def write(content):
        for _ in range(25):
            write_bytes(tmp_path / "file", content)

    writers = [threading.Thread(target=write, args=(content,)) for content in contents]
    for writer in writers:
        writer.start()
    seen = 0
    while any(writer.is_alive() for writer in writers):
        if (tmp_path / "file").exists():
            assert (tmp_path / "file").read_bytes() in contents
            seen += 1
    assert seen and temporaries(tmp_path) == []


def test_store_serves_others_while_one_is_rewritten(tmp_path):
    write_random(tmp_path / "steady")
    stop, store, met = threading.Event(), Store(tmp_path), set[int]()

    def come_and_go():
        while not stop.is_set():
            for step in (10, 20, 30):
                write_random(tmp_path / "moving", step=step, weights_seed=step)
            shutil.rmtree(tmp_path / "moving")

    writer = threading.Thread(target=come_and_go)
    writer.start()
    try:
        for _ in range(300):
            names = [info.name for info in store.checkpoints()]
            assert "steady" in names and set(names) <= {"steady", "moving"}
            assert store.load("steady").info.step == 20
            try:
                met.add(store.load("moving").checkpoint.step)
            except CheckpointError:
                met.add(-1)
    finally:
        stop.set()
        writer.join()
    assert met <= {-1, 0, 10, 20, 30} and len(met) > 1
