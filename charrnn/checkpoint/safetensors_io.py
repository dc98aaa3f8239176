"""
Read and write safetensors files, with validation and atomic writes.

Nothing here executes code from a file. A file is read into memory once, so that the validated bytes are the bytes
used; for some files only the header is read. The safetensors library checks the header against the data. Checked here
is what it accepts: duplicate keys, any number of tensors and dimensions, types unknown to torch.

The digest of a file (`file_sha256` in its metadata) covers every byte: it is the SHA-256 of the file with zeros in
place of its own 64 digits. Files of earlier versions have a digest of their tensors (`digest`) and are still
accepted. A damaged file is not mistaken for one of those: a few flipped bits cannot turn `file_sha256` and its value
into `digest`, and a file of this format with neither is rejected.
"""

import hashlib
import json
import math
import os
import re
import secrets
import stat
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import safetensors
import torch
from safetensors.torch import load as tensors_from_bytes
from safetensors.torch import save as tensors_to_bytes
from torch import Tensor

from charrnn.control_char_escapes import printable

FORMAT = "1"
DIGEST, TENSORS_DIGEST = "file_sha256", "digest"  # of the whole file; of its tensors, as earlier versions wrote it
WRITING, TEMPORARY = ".charrnn-", ".tmp"  # prefix and suffix of temporary files
MAX_FILE_BYTES = 1 << 30
MAX_HEADER_BYTES = 1 << 20
MAX_TENSORS = 4096
MAX_DIMS = 8  # of a tensor
DTYPES = {torch.float16, torch.float32, torch.float64, torch.int64, torch.uint8}  # the types that are written
MAX_REASON_CHARS = 1000  # characters of a message
LFS_POINTER = b"version https://git-lfs"
SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")  # half of a surrogate pair
PICKLES = (b"\x80", b"PK\x03\x04")


class CheckpointError(ValueError):
    """
    A file is not a usable checkpoint; the message names file and reason.

    The message is one printable line of limited length.
    """

    def __init__(self, message: str):
        super().__init__(printable(message[:MAX_REASON_CHARS]) + ("…" if len(message) > MAX_REASON_CHARS else ""))


class UnreadableError(CheckpointError):
    """The system refuses to read a file, which itself may be intact."""


@dataclass(frozen=True)
class SafeFile:
    """A safetensors file in memory, with the strings of its metadata."""

    path: Path
    texts: dict[str, str]
    data: bytes

    def metadata(self) -> dict[str, Any]:
        """Parse the metadata. Raises CheckpointError for another format."""
        if self.texts.get("charrnn") != FORMAT:
            raise CheckpointError(f"{self.path} is not a charrnn checkpoint of format {FORMAT}")
        try:
            own_keys = {"charrnn", DIGEST, TENSORS_DIGEST}
            return {key: parse_json(text) for key, text in self.texts.items() if key not in own_keys}
        except (ValueError, RecursionError) as error:
            raise CheckpointError(f"the metadata of {self.path} cannot be read: {error}") from None

    def tensors(self) -> dict[str, Tensor]:
        """Return the tensors by name. Raises CheckpointError if header and data disagree."""
        try:
            tensors = tensors_from_bytes(self.data)
        except (safetensors.SafetensorError, KeyError, RuntimeError) as error:
            raise CheckpointError(f"{self.path} is damaged: {error}") from None
        for name, tensor in tensors.items():
            if tensor.dtype not in DTYPES:
                raise CheckpointError(f"{name} in {self.path} is stored as {tensor.dtype}, which is not read")
        written = self.texts.get(TENSORS_DIGEST)
        if written is not None and written != sha256_tensors(tensors):
            raise CheckpointError(f"{self.path} is damaged: its tensors are not those that were written")
        return tensors


def sha256_tensors(tensors: Mapping[str, Tensor]) -> str:
    """Return the SHA-256 of tensors with their names, types and shapes."""
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {list(tensor.shape)} ".encode())
        digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()


def write_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, Any]) -> None:
    """
    Write tensors and JSON-compatible metadata to one file, atomically.

    Raises OSError if it cannot be written, and ValueError for what `read` would reject.
    """
    contiguous = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    placeholder = secrets.token_hex(32)  # 64 unique digits
    texts = {key: json.dumps(value, allow_nan=False) for key, value in metadata.items()}
    texts |= {"charrnn": FORMAT, DIGEST: json.dumps(placeholder)}  # JSON, as earlier versions expect
    data = tensors_to_bytes(contiguous, metadata=texts)
    data = data.replace(placeholder.encode(), _file_digest(data, placeholder).encode(), 1)
    header_bytes = _header_length(data)
    if len(data) > MAX_FILE_BYTES or header_bytes > MAX_HEADER_BYTES:
        raise CheckpointError(f"{path} would take {len(data)} bytes, {header_bytes} of them in its header: too many")
    write_bytes(path, data)


def _file_digest(data: bytes, written: str) -> str:
    """
    Return the SHA-256 of a file with zeros in place of its digest.

    Raises ValueError if the digits are not in the header.
    """
    start = data.index(written.encode(), 8, 8 + _header_length(data))
    digest = hashlib.sha256(memoryview(data)[:start])
    digest.update(b"0" * 64)
    digest.update(memoryview(data)[start + 64 :])
    return digest.hexdigest()


def _require_digest(file: SafeFile) -> None:
    """Raise CheckpointError if the stored digest does not match the bytes."""
    if DIGEST not in file.texts:
        return
    written = file.texts[DIGEST].strip('"')
    try:
        same = bool(re.fullmatch("[0-9a-f]{64}", written)) and written == _file_digest(file.data, written)
    except ValueError:
        same = False
    if not same:
        raise CheckpointError(f"{file.path} is damaged: its bytes are not those that were written ({DIGEST})")


def write_bytes(path: Path, data: bytes) -> None:
    """
    Write a file atomically: temporary file, fsync, rename, fsync of the folder.

    The file is readable by all. Raises OSError; then the previous file remains and no partial one.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(TEMPORARY, f"{WRITING}{path.name}.", path.parent)
    try:
        with open(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)  # free the space on a full disk
        raise
    if os.name == "posix":  # other systems cannot open a folder
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def require_writable(folder: Path) -> None:
    """Raise OSError if no file can be created in this folder."""
    with tempfile.TemporaryFile(dir=folder):
        pass


def require_result_file(path: Path) -> None:
    """Raise CheckpointError for a link or non-file, OSError if it is not writable."""
    if path.is_symlink() or path.exists() and not path.is_file():
        raise CheckpointError(f"{path} is a link or a folder and is not changed: name a file")
    require_writable(next(folder for folder in path.absolute().parents if folder.exists()))


def read(path: Path) -> SafeFile:
    """Read a safetensors file. Raises CheckpointError for anything else."""
    with _opened(path) as (file, size):
        data = file.read(size + 1)  # one more than expected, to notice a concurrent write
    file = SafeFile(path, _texts(path, data, len(data)), data)
    _require_digest(file)
    return file


def read_small(path: Path, max_bytes: int) -> bytes:
    """Read a file of at most `max_bytes` bytes. Raises CheckpointError otherwise."""
    with _opened(path, max_bytes) as (file, _):
        return file.read(max_bytes)


def resolve_inside(path: Path) -> Path:
    """
    Resolve a path, following links inside the checkpoint or the Hub's cache only.

    Raises CheckpointError for a link to elsewhere, also if `steps` is one, so that no other file is disclosed.
    """
    is_of_a_step = path.parent.name == "steps" and path.stem.isdecimal()  # one folder deeper
    home = path.parent.parent if is_of_a_step else path.parent
    real, folder = Path(os.path.realpath(path)), Path(os.path.realpath(home))
    repositories = [parent.parent for parent in folder.parents if parent.name == "snapshots"]
    caches = [place / "blobs" for repository in repositories for place in (repository, repository.parent)]
    if not any(real.is_relative_to(home) for home in (folder, *caches)):
        raise CheckpointError(f"{path} is a link that leads out of its folder: put the file itself there")
    return real


def read_metadata(path: Path) -> dict[str, Any]:
    """Read only the header and parse its metadata. Raises CheckpointError."""
    with _opened(path) as (file, size):
        start = file.read(8)
        start += file.read(min(_header_length(start), MAX_HEADER_BYTES))
    return SafeFile(path, _texts(path, start, size), b"").metadata()


@contextmanager
def _opened(path: Path, max_bytes: int | None = None) -> Iterator[tuple[BinaryIO, int]]:
    """Open a regular file that is not too large; yield it and its size."""
    max_bytes = MAX_FILE_BYTES if max_bytes is None else max_bytes
    try:
        with open(resolve_inside(path), "rb", opener=_open_nonblocking) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise CheckpointError(f"{path} is not a file")
            if status.st_size > max_bytes:
                raise CheckpointError(f"{path} has {status.st_size} bytes; more than {max_bytes} are refused")
            yield file, status.st_size
    except OSError as error:
        raise UnreadableError(f"cannot read {path}: {error.strerror}") from None


def _open_nonblocking(path: str, flags: int) -> int:
    """Open without blocking (as a pipe would) and without following a link."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0))


def _header_length(start: bytes) -> int:
    return int.from_bytes(start[:8], "little")


def _texts(path: Path, start: bytes, size: int) -> dict[str, str]:
    """Return the strings of a header that begins with `start`. Raises CheckpointError."""
    if start.startswith(LFS_POINTER):
        raise CheckpointError(f"{path} is a git-LFS pointer, not the file it points to: run `git lfs pull`")
    if start[8:9] != b"{":
        hint = "; pickled files are never opened, save as safetensors" if start.startswith(PICKLES) else ""
        raise CheckpointError(f"{path} is not a safetensors file{hint}")
    length = _header_length(start)
    if length > min(MAX_HEADER_BYTES, size - 8):
        raise CheckpointError(f"{path} announces a header of {length} bytes: it is truncated or no safetensors file")
    if (tensors := start.count(b'"data_offsets"', 8, 8 + length)) > MAX_TENSORS:  # counted before they are parsed
        raise CheckpointError(f"the header of {path} cannot be read: {tensors} tensors, {MAX_TENSORS} at most")
    try:
        header = parse_json(start[8 : 8 + length])
        texts = header.pop("__metadata__", {})
        if any(len(entry["shape"]) > MAX_DIMS for entry in header.values()):
            raise ValueError(f"a tensor has more than {MAX_DIMS} dimensions")
        if not all(isinstance(text, str) for text in texts.values()):
            raise ValueError("the metadata are not texts")
        announced = 8 + length + max((entry["data_offsets"][-1] for entry in header.values()), default=0)
    except (ValueError, RecursionError, AttributeError, TypeError, KeyError, IndexError) as error:
        raise CheckpointError(f"the header of {path} cannot be read: {error}") from None
    if size != announced:
        raise CheckpointError(f"{path} is damaged: it has {size} bytes, its header announces {announced}")
    if "charrnn" in texts and not texts.keys() & {DIGEST, TENSORS_DIGEST}:
        raise CheckpointError(f"{path} has no digest ({DIGEST}): it is damaged, or was not written by charrnn")
    return texts


def parse_json(text: str | bytes) -> Any:
    """
    Parse strict JSON: no duplicate key, NaN, number over 64 bits or lone surrogate.

    Raises ValueError, and RecursionError for deep nesting.
    """
    text = text if isinstance(text, str) else text.decode("utf-8")
    value = json.loads(
        text,
        parse_constant=_refuse_constant,
        parse_float=_finite,
        parse_int=_whole,
        object_pairs_hook=_unique_keys,
    )
    if SURROGATE.search(text):
        json.dumps(value, ensure_ascii=False).encode("utf-8")  # raises for a lone surrogate
    return value


def _refuse_constant(constant: str) -> Any:
    raise ValueError(f"{constant} is not a number")


def _finite(digits: str) -> float:
    if not math.isfinite(number := float(digits)):
        raise ValueError(f"{digits[:50]} is too large a number")
    return number


def _whole(digits: str) -> int:
    if len(digits) > 20 or not -(2**63) <= (number := int(digits)) < 2**63:
        raise ValueError(f"{digits[:50]} is too large a number")
    return number


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        twice = Counter(key for key, _ in pairs).most_common(1)[0][0]
        raise ValueError(f"the key {twice!r} occurs twice")
    return result
