"""
Run a script: its parser, standard streams, error messages and exit codes.

    from charrnn.script_runner import run_module
    sys.exit(run_module("charrnn.commands.train"))  # calls its `main`

Exit codes: that of `main`; 1 out of memory, 2 a system error, 130 Ctrl-C, 141 a closed pipe at standard output.
"""

import argparse
import errno
import importlib
import os
import re
import shlex
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO, cast

from charrnn.control_char_escapes import printable

COMMAND = "charrnn"
OUT_OF_MEMORY, SYSTEM_ERROR, INTERRUPTED, BROKEN_PIPE = 1, 2, 128 + 2, 128 + 13
CURSOR_UP = "\x1b[A"  # tqdm writes it alone to move between bars
NO_MEMORY = re.compile(r"can't allocate memory|Cannot allocate memory|out of memory|bad_alloc", re.IGNORECASE)


class OutputError(Exception):
    """Standard output can no longer be written."""

    def __init__(self, cause: OSError):
        super().__init__(f"cannot write the output: {cause.strerror}")
        self.errno = cause.errno


class Output:
    """
    A standard stream that escapes control characters.

    After a failed write nothing more is written. `lasting`: then call `notify` once; else raise OutputError.
    """

    def __init__(self, stream: TextIO, lasting: bool, notify: Callable[[str], None] = lambda line: None):
        self.stream, self.lasting, self.notify, self.lost = stream, lasting, notify, False

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)

    def write(self, text: str) -> int:
        """Write text with unsafe characters escaped."""
        self.write_unescaped(_safe(text) if text.replace(CURSOR_UP, "").strip("\r\n") else text)
        return len(text)

    def write_unescaped(self, text: str) -> None:
        """Write text unescaped."""
        self._attempt(lambda: self.stream.write(text))

    def writelines(self, lines: list[str]) -> None:
        """Write lines."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Flush the buffer."""
        self._attempt(self.stream.flush)

    def _attempt(self, action: Callable[[], Any]) -> None:
        if self.lost:
            return
        try:
            action()
        except OSError as error:
            self.lost = True
            with suppress(OSError, ValueError):  # buffered output is written when the process ends
                null = os.open(os.devnull, os.O_WRONLY)
                os.dup2(null, self.stream.fileno())
                os.close(null)
            if not self.lasting:
                raise OutputError(error) from None
            self.notify(f"output is lost ({error.strerror}): continuing without it")


def _safe(text: str) -> str:
    return printable(text, keep="\n\r\t")


def write_text(text: str) -> None:
    """Write text to standard output; to a terminal with unsafe characters escaped."""
    text = _safe(text) if sys.stdout.isatty() else text
    sys.stdout.write_unescaped(text) if isinstance(sys.stdout, Output) else sys.stdout.write(text)


def run_module(name: str) -> int:
    """Import a module, call its `main` and return the exit code."""
    begin()
    return run(importlib.import_module(name).main)


def begin() -> None:
    """Open closed standard streams and let Ctrl-C end the process at once."""
    for descriptor in range(3):  # else the next opened file would become standard output
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    sys.stdin = sys.stdin or open(0)
    sys.stdout = sys.stdout or open(1, "w")
    sys.stderr = sys.stderr or open(2, "w")
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _leave)


def _leave(number: int, frame: Any) -> None:
    os._exit(INTERRUPTED)


def run(main: Callable[[], int | None]) -> int:
    """Call `main` and return the exit code; report user errors in one line."""
    begin()
    if signal.getsignal(signal.SIGINT) is _leave:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError):
            stream.reconfigure(errors="backslashreplace")  # pyright: ignore[reportAttributeAccessIssue]
    sys.stderr = cast(TextIO, Output(sys.stderr, lasting=True))
    sys.stdout = cast(TextIO, Output(sys.stdout, lasting=False, notify=_print_error))
    try:
        return _finish(main)
    except OutputError as error:
        if error.errno == errno.EPIPE:  # the reader has ended
            return BROKEN_PIPE
        _print_error(str(error))
        return SYSTEM_ERROR


def _finish(main: Callable[[], int | None]) -> int:
    """Call `main`, flush its output and return the exit code. Raises OutputError."""
    try:
        code = main() or 0
    except SystemExit as end:
        if not isinstance(end.code, int | None):
            print(end.code, file=sys.stderr)
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except KeyboardInterrupt:
        code = INTERRUPTED
    except (OSError, MemoryError, RuntimeError) as error:
        if not (isinstance(error, OSError) or is_out_of_memory(error)):
            raise
        _print_error(reason(error))
        code = SYSTEM_ERROR if isinstance(error, OSError) else OUT_OF_MEMORY
    sys.stdout.flush()
    return code


def _print_error(line: str) -> None:
    print(f"{Path(sys.argv[0]).name}: {printable(line)}", file=sys.stderr, flush=True)


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error of Python or torch reports a lack of memory."""
    return isinstance(error, MemoryError) or isinstance(error, RuntimeError) and bool(NO_MEMORY.search(str(error)))


def reason(error: BaseException) -> str:
    """Describe a system or memory error in one line."""
    if is_out_of_memory(error):
        return "out of memory"
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename is not None else ""
        return printable(f"{where}{error.strerror}")
    return printable(error)


@contextmanager
def lasting_output() -> Iterator[None]:
    """Continue without output after a failed write, inside the `with` block."""
    out, err = sys.stdout, sys.stderr
    sys.stderr = cast(TextIO, Output(getattr(err, "stream", err), lasting=True))
    sys.stdout = cast(TextIO, Output(getattr(out, "stream", out), lasting=True, notify=_print_error))
    try:
        yield
    finally:
        sys.stdout.flush()
        sys.stdout, sys.stderr = out, err


def shell_command(script: Path, *words: str) -> str:
    """
    Return the shell command for a script, relative to the current folder.

    If the command `charrnn` is running, it is the subcommand of the same name.
    """
    if sys.argv[0].startswith(f"{COMMAND} "):
        return " ".join(map(_shell_quote, [COMMAND, script.stem, *words]))
    found = shutil.which("python")
    python = "python" if found and Path(found) == Path(sys.executable) else sys.executable
    path = script.relative_to(Path.cwd()) if script.is_relative_to(Path.cwd()) else script
    return " ".join(map(_shell_quote, [python, str(path), *words]))


def script_parser(doc: str | None) -> argparse.ArgumentParser:
    """Return a parser that prints a script's docstring as its help."""
    return argparse.ArgumentParser(description=adapt_help(doc), formatter_class=argparse.RawDescriptionHelpFormatter)


def adapt_help(help: str | None) -> str | None:
    """Return a script's help, with `charrnn` commands if that is running."""
    if help is None or not sys.argv[0].startswith(f"{COMMAND} "):
        return help
    return re.sub(r"python scripts/(train|sample|evaluate|publish)\.py", rf"{COMMAND} \1", help)


def _shell_quote(word: str) -> str:
    if printable(word) == word:
        return shlex.quote(word)
    escaped = (chr(b) if 32 <= b < 127 and b not in b"\\'" else f"\\x{b:02x}" for b in os.fsencode(word))
    return f"$'{''.join(escaped)}'"
