"""Text corpora: download, verification, splits, windows and streams."""

import hashlib
import http.client
import os
import tempfile
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from charrnn.control_char_escapes import printable
from charrnn.vocab import Vocab

TINY_SHAKESPEARE_URL = "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt"
TINY_SHAKESPEARE_SHA256 = "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed"
TRAIN_SHARE = 0.9
MIN_VALIDATION_CHARS = 4  # each half is evaluated, and the first character of a text is not predicted
TIMEOUT_S, MAX_DOWNLOAD_S = 30, 600  # per response; for the whole download
MAX_BYTES = 2 << 20  # of a download; Tiny Shakespeare has 1,115,394


class CorpusError(ValueError):
    """A corpus cannot be used; the message is one printable line with the reason."""

    def __init__(self, message: str):
        super().__init__(printable(message))


@dataclass(frozen=True)
class Corpus:
    """A text as ids: first 90 % for training, last 10 % for validation."""

    text: str
    vocab: Vocab
    train_ids: Tensor  # (N_train,) int64
    val_ids: Tensor  # (N_val,)
    sha256: str  # of the text as UTF-8

    @classmethod
    def from_text(cls, text: str, vocab: Vocab | None = None) -> "Corpus":
        """
        Encode and split a text. Raises UnknownCharacterError.

        vocab: None builds one from the text.
        """
        vocab = vocab or Vocab.from_text(text)
        ids = torch.tensor(vocab.encode(text), dtype=torch.long)
        split = int(TRAIN_SHARE * len(ids))
        return cls(text, vocab, ids[:split], ids[split:], hashlib.sha256(text.encode("utf-8")).hexdigest())

    def require(self, characters: int) -> "Corpus":
        """Return self if each part has this many characters; else raise CorpusError."""
        available, needed = min(len(self.train_ids), len(self.val_ids)), max(characters, MIN_VALIDATION_CHARS)
        if available < needed:
            shorter = ", or a shorter seq_len" if characters > MIN_VALIDATION_CHARS else ""
            raise CorpusError(
                f"the text has {len(self.text)} characters, {available} of them to validate on, which takes "
                f"{needed}: give {round(needed / (1 - TRAIN_SHARE)) + 1} or more{shorter}"
            )
        return self


def read_text(path: Path) -> str:
    """
    Read a UTF-8 file, without byte order mark and with `\\n` line ends.

    The digest is that of the returned text. Raises CorpusError.
    """
    try:
        return _decode(path.read_bytes(), str(path))
    except OSError as error:
        raise CorpusError(f"cannot read {path}: {error.strerror}; give the path of a text file") from None


def title_of(sha256: str) -> str:
    """Return a display name for the corpus with this digest."""
    return "Tiny Shakespeare" if sha256 == TINY_SHAKESPEARE_SHA256 else f"the text with sha256 {sha256[:12]}"


def cache_path() -> Path:
    """
    Return the cache file of Tiny Shakespeare.

    In `$CHARRNN_CACHE`, else `~/.cache/charrnn`, else a temporary folder.
    """
    if not (folder := os.environ.get("CHARRNN_CACHE")):
        try:
            folder = Path.home() / ".cache" / "charrnn"
        except RuntimeError:  # no HOME and a user unknown to passwd; the content is verified anyway
            folder = Path(tempfile.gettempdir()) / f"charrnn-{os.getuid()}"
    return Path(folder) / "tinyshakespeare.txt"


def cached_tiny_shakespeare() -> str | None:
    """Return Tiny Shakespeare from the cache if intact, else None; no network access."""
    try:
        data = cache_path().read_bytes()
    except OSError:
        return None
    return data.decode("utf-8") if hashlib.sha256(data).hexdigest() == TINY_SHAKESPEARE_SHA256 else None


def tiny_shakespeare(url: str = TINY_SHAKESPEARE_URL) -> str:
    """
    Return Tiny Shakespeare, downloading it if it is not cached.

    Raises CorpusError without a network or if the download has the wrong digest.
    """
    return cached_tiny_shakespeare() or _download(url, cache_path())


def _download(url: str, path: Path) -> str:
    advice = f"download {url} yourself and give it with --data"
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_S) as response:
            data, deadline = bytearray(), time.monotonic() + MAX_DOWNLOAD_S
            while chunk := response.read1(1 << 16):
                data += chunk
                if len(data) > MAX_BYTES or time.monotonic() > deadline:
                    raise TimeoutError(f"more than {MAX_BYTES} bytes, or {MAX_DOWNLOAD_S} s")
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or repr(error)
        raise CorpusError(f"cannot download Tiny Shakespeare ({reason}): {advice}") from None
    sha256 = hashlib.sha256(data).hexdigest()
    if sha256 != TINY_SHAKESPEARE_SHA256:
        raise CorpusError(
            f"the download from {url} is not Tiny Shakespeare: its sha256 is {sha256}, not {TINY_SHAKESPEARE_SHA256}; "
            f"try again, or {advice}"
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".download-") as folder:
            downloaded = Path(folder) / path.name
            downloaded.write_bytes(data)
            os.replace(downloaded, path)
    except OSError as error:
        raise CorpusError(f"cannot write {path}: {error.strerror}; set CHARRNN_CACHE to another folder") from None
    return data.decode("utf-8")


def _decode(data: bytes, source: str) -> str:
    if found := next((found for start, found in OTHER_FORMATS.items() if data.startswith(start)), ""):
        raise CorpusError(f"{source} is not UTF-8: it looks like {found} and try again")
    if max(data[0:4096:2].count(0), data[1:4096:2].count(0)) > min(len(data), 4096) // 4:
        raise CorpusError(f"{source} is not UTF-8: it looks like {UTF_16} and try again")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise CorpusError(
            f"{source} is not UTF-8 (byte {error.start} is 0x{data[error.start]:02x}): if it is a text in an older "
            "encoding, such as Latin-1, save it as UTF-8 and try again"
        ) from None
    if not text:
        raise CorpusError(f"{source} is empty: give a text to learn from")
    return text.replace("\r\n", "\n").replace("\r", "\n")


UTF_16 = "UTF-16: save it as UTF-8"
OTHER_FORMATS = {  # by their first bytes
    b"\x1f\x8b": "a gzip archive: unpack it, as gunzip does,",
    b"BZh": "a bzip2 archive: unpack it",
    b"\xfd7zXZ": "an xz archive: unpack it",
    b"\x28\xb5\x2f\xfd": "a zstd archive: unpack it",
    b"PK\x03\x04": "a zip archive, or a document of an office program: unpack it, or save it as plain text,",
    b"%PDF": "a PDF: save it as plain text",
    b"\xff\xfe\x00\x00": "UTF-32: save it as UTF-8",
    b"\x00\x00\xfe\xff": "UTF-32: save it as UTF-8",
    b"\xff\xfe": UTF_16,
    b"\xfe\xff": UTF_16,
}


def random_windows(ids: Tensor, batch: int, seq_len: int, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """
    Draw windows uniformly: x (B, T) and targets y (B, T), shifted by one.

    ids (N,), N > seq_len.
    """
    starts = torch.randint(len(ids) - seq_len, (batch, 1), generator=rng)  # (B, 1)
    positions = starts + torch.arange(seq_len)  # (B, T)
    return ids[positions], ids[positions + 1]


def contiguous_streams(ids: Tensor, streams: int) -> Tensor:
    """Cut ids (N,) into equal rows: (streams, N // streams); the remainder is dropped."""
    length = len(ids) // streams
    return ids[: streams * length].view(streams, length)


def windows_in_order(ids: Tensor, seq_len: int) -> tuple[Tensor, Tensor]:
    """Cut non-overlapping windows: x (W, T) and targets y (W, T), shifted by one."""
    starts = torch.arange(0, len(ids) - seq_len, seq_len)[:, None]  # (W, 1)
    positions = starts + torch.arange(seq_len)
    return ids[positions], ids[positions + 1]
