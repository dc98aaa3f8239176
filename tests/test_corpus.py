"""The corpus: reading texts, splitting them, and downloading Tiny Shakespeare."""

import gzip
import hashlib
import http.server
import itertools
import socket
import threading
import time
from contextlib import suppress

import pytest
import torch

from charrnn import corpus as corpus_module
from charrnn.corpus import (
    Corpus,
    CorpusError,
    cache_path,
    cached_tiny_shakespeare,
    contiguous_streams,
    random_windows,
    read_text,
    tiny_shakespeare,
    windows_in_order,
)
from charrnn.vocab import UnknownCharacterError, Vocab


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("CHARRNN_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def server():
    """Serve bytes, or chunks without a length, on loopback; return the address."""
    servers = []

    def start(body, announced=None):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                if isinstance(body, bytes):
                    self.send_header("Content-Length", str(announced or len(body)))
                self.end_headers()
                with suppress(OSError):
                    self.wfile.writelines([body] if isinstance(body, bytes) else body)

            def log_message(self, *args):
                pass

        servers.append(http.server.HTTPServer(("127.0.0.1", 0), Handler))
        threading.Thread(target=servers[-1].serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{servers[-1].server_port}/input.txt"

    yield start
    for running in servers:
        running.shutdown()
        running.server_close()


def test_corpus_split_is_nine_to_one():
    corpus = Corpus.from_text("abcdefghij" * 10)
    assert (len(corpus.train_ids), len(corpus.val_ids)) == (90, 10)
    assert corpus.vocab.decode(torch.cat([corpus.train_ids, corpus.val_ids]).tolist()) == corpus.text
    assert corpus.sha256 == hashlib.sha256(corpus.text.encode()).hexdigest()


def test_given_vocabulary_must_cover_text():
    with pytest.raises(UnknownCharacterError):
        Corpus.from_text("abc", Vocab("ab"))


def test_any_utf8_text_is_a_corpus(tmp_path):
    (tmp_path / "text.txt").write_bytes("Füße\n\tπ 🙂".encode())
    text = read_text(tmp_path / "text.txt")
    assert text == "Füße\n\tπ 🙂"
    assert Corpus.from_text(text).vocab.characters == "".join(sorted(set(text)))


def test_byte_order_mark_and_cr_are_removed(tmp_path):
    plain, windows = tmp_path / "plain.txt", tmp_path / "windows.txt"
    plain.write_bytes(b"One\n\ntwo\nthree\n")
    windows.write_bytes("\ufeffOne\r\n\r\ntwo\rthree\r\n".encode())
    assert read_text(windows) == read_text(plain) == "One\n\ntwo\nthree\n"


NOT_TEXT = {
    "gzip": (gzip.compress(b"To be"), "gzip archive: unpack it, as gunzip does, and try again"),
    "zip": (b"PK\x03\x04\x14", "zip archive, or a document"),
    "UTF-16": ("To be".encode("utf-16"), "looks like UTF-16: save it as UTF-8 and try again"),
    "UTF-16 without a mark": ("To be or not".encode("utf-16-le"), "looks like UTF-16: save it as UTF-8"),
    "UTF-16, big end first": ("To be or not".encode("utf-16-be"), "looks like UTF-16: save it as UTF-8"),
    "UTF-32": ("To be".encode("utf-32"), "looks like UTF-32: save it as UTF-8"),
    "Latin-1": ("Füße".encode("latin-1"), r"byte 1 is 0xfc\): if it is a text in an older encoding, such as Latin-1"),
    "a mark alone": (b"\xef\xbb\xbf", "is empty"),
}


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"", "is empty"), (b"ab\xff", r"not UTF-8 \(byte 2 is 0xff\)"), (None, "cannot read"), *NOT_TEXT.values()],
    ids=["nothing", "a stray byte", "no file", *NOT_TEXT],
)
def test_file_that_is_no_text_is_refused(tmp_path, content, reason):
    path = tmp_path / "text.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CorpusError, match=reason):
        read_text(path)


def test_text_shorter_than_window_is_refused():
    reason = "100 characters, 10 of them to validate on, which takes 11: give 111 or more, or a shorter seq_len"
    with pytest.raises(CorpusError, match=reason):
        Corpus.from_text("ab" * 50).require(11)
    Corpus.from_text("ab" * 50).require(10)
    with pytest.raises(CorpusError, match="20 characters, 2 of them to validate on, which takes 4: give 41 or more$"):
        Corpus.from_text("ab" * 10).require(2)  # a shorter seq_len does not help
    Corpus.from_text("ab" * 20).require(2)


def test_too_many_different_characters_are_refused():
    text = "".join(map(chr, [*range(0xD800), *range(0xE000, 0x11000)]))
    assert len(Corpus.from_text(text[: 1 << 16]).vocab) == 1 << 16
    with pytest.raises(ValueError, match="there are 67584 different characters: give a text of 1 to 65536"):
        Corpus.from_text(text)


def test_random_windows_cover_every_start():
    ids, rng = torch.arange(6), torch.Generator().manual_seed(0)
    x, y = random_windows(ids, 200, 3, rng)
    assert torch.equal(y, x + 1)
    assert set(x[:, 0].tolist()) == {0, 1, 2}
    assert (x.diff() == 1).all()


def test_streams_are_contiguous_rows():
    assert contiguous_streams(torch.arange(11), 3).tolist() == [[0, 1, 2], [3, 4, 5], [6, 7, 8]]


def test_ordered_windows_cover_text_without_overlap():
    x, y = windows_in_order(torch.arange(12), 3)
    assert x.flatten().tolist() == list(range(9)) and torch.equal(y, x + 1)
    assert windows_in_order(torch.arange(7), 3)[1][-1].tolist() == [4, 5, 6], "up to the last character"
    assert windows_in_order(torch.arange(2), 1)[0].tolist() == [[0]]


def test_download_is_cached(server, monkeypatch):
    body = b"To be, or not to be" * 10_000
    monkeypatch.setattr(corpus_module, "TINY_SHAKESPEARE_SHA256", hashlib.sha256(body).hexdigest())
    text = tiny_shakespeare(server(body))
    assert text.encode() == body
    assert cached_tiny_shakespeare() == text
    assert tiny_shakespeare(url="http://127.0.0.1:1/unreachable") == text
    assert [path.name for path in cache_path().parent.iterdir()] == ["tinyshakespeare.txt"]


def test_wrong_download_is_refused_and_not_cached(server):
    with pytest.raises(CorpusError, match="is not Tiny Shakespeare.*--data"):
        tiny_shakespeare(url=server(b"<html>sign in to this network</html>"))
    assert not cache_path().exists()


@pytest.mark.parametrize("limit", ["MAX_BYTES", "MAX_DOWNLOAD_S"])
def test_endless_download_is_stopped(server, monkeypatch, limit):
    monkeypatch.setattr(f"charrnn.corpus.{limit}", 0.3)
    chunks = (time.sleep(0.01) or b"a" * 100 for _ in itertools.count())
    with pytest.raises(CorpusError, match="cannot download Tiny Shakespeare .*--data"):
        tiny_shakespeare(url=server(chunks))


def test_truncated_download_is_refused(server):
    with pytest.raises(CorpusError):
        tiny_shakespeare(url=server(b"half", announced=8))
    assert not cache_path().exists()


def test_answer_that_is_not_http_is_refused():
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer():
            connection, _ = listening.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(b"hello there\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(CorpusError, match="cannot download"):
            tiny_shakespeare(url=f"http://127.0.0.1:{listening.getsockname()[1]}/input.txt")
        thread.join()


def test_missing_network_error_names_data_flag():
    with pytest.raises(CorpusError, match=r"cannot download.*download .* yourself and give it with --data"):
        tiny_shakespeare(url="http://127.0.0.1:1/input.txt")


def test_damaged_cache_is_not_used():
    cache_path().parent.mkdir(parents=True)
    cache_path().write_text("not all of it")
    assert cached_tiny_shakespeare() is None
