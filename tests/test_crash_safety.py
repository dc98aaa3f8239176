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

    def refuse(*args, **kwargs):
        raise OSError(30, "Read-only file system")

    for name in ("mkdir", "replace", "unlink", "chmod", "fsync"):
        monkeypatch.setattr(os, name, refuse)
    assert Store(tmp_path).load("rnn").info.step == 20


def test_lock_without_fcntl_excludes_second_writer(tmp_path, monkeypatch):
    """On Windows the lock is a file in the temporary folder."""
    monkeypatch.setattr("charrnn.checkpoint.folder_locking.fcntl", None)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    out = tmp_path / "rnn"
    with checkpoint.folder_lock(out) as hold:
        (out / "file").touch()
        hold.renew()
        with pytest.raises(CheckpointError, match="another run"), checkpoint.folder_lock(out):
            pass
        with checkpoint.folder_lock(tmp_path / "other"):
            pass
        assert [path.name for path in out.iterdir()] == ["file"]
    with checkpoint.folder_lock(out):
        pass


def test_lock_of_killed_process_is_released(tmp_path):
    code = f"""
import time, pathlib
from charrnn.checkpoint import folder_lock
with folder_lock(pathlib.Path({str(tmp_path)!r})):
    print("locked", flush=True)
    time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None and writer.stdout.readline() == "locked\n"
        with pytest.raises(CheckpointError), checkpoint.folder_lock(tmp_path):
            pass
        writer.kill()
        writer.wait()
    with checkpoint.folder_lock(tmp_path):
        pass


def test_temp_files_of_locked_folder_are_removed(tmp_path):
    stale = [tmp_path / ".charrnn-config.json.x1.tmp", tmp_path / "steps" / ".charrnn-000010.safetensors.x2.tmp"]
    others = [
        tmp_path / ".editor.tmp",
        tmp_path / "steps" / "notes.tmp",
        tmp_path / "b" / ".charrnn-config.json.x3.tmp",
    ]
    for path in (*stale, *others):
        path.parent.mkdir(exist_ok=True)
        path.touch()
    with checkpoint.folder_lock(tmp_path):
        assert not any(path.exists() for path in stale) and all(path.exists() for path in others)


def test_concurrent_writers_never_mix(tmp_path):
    """Writers without a lock use separate temporary files."""
    contents = [bytes([i]) * 200_000 for i in range(4)]

    def write(content):
        for _ in range(25):
            write_bytes(tmp_path / "file", content)

    writers = [threading.Thread(target=write, args=(content,)) for content in contents]
    for writer in writers:
        writer.start()
    reads = 0
    while any(writer.is_alive() for writer in writers):
        if (tmp_path / "file").exists():
            assert (tmp_path / "file").read_bytes() in contents
            reads += 1
    assert reads and temporaries(tmp_path) == []


def test_store_serves_others_while_one_is_rewritten(tmp_path):
    write_random(tmp_path / "steady")
    stop, store, steps = threading.Event(), Store(tmp_path), set[int]()

    def save_and_delete():
        while not stop.is_set():
            for step in (10, 20, 30):
                write_random(tmp_path / "moving", step=step, weights_seed=step)
            shutil.rmtree(tmp_path / "moving")

    writer = threading.Thread(target=save_and_delete)
    writer.start()
    try:
        for _ in range(300):
            names = [info.name for info in store.checkpoints()]
            assert "steady" in names and set(names) <= {"steady", "moving"}
            assert store.load("steady").info.step == 20
            try:
                steps.add(store.load("moving").checkpoint.step)
            except CheckpointError:
                steps.add(-1)
    finally:
        stop.set()
        writer.join()
    assert steps <= {-1, 0, 10, 20, 30} and len(steps) > 1
