"""Scripts end cleanly on Ctrl-C, closed pipes, full disks and no memory."""

import ast
import io
import os
import pty
import shlex
import signal
import subprocess
import sys

import pytest

from charrnn import script_runner
from charrnn.corpus import cache_path, cached_tiny_shakespeare
from tests.cli import ROOT
from tests.test_architecture import imports

pytestmark = pytest.mark.process

SCRIPTS = [path for path in [ROOT / "app.py", *ROOT.glob("scripts/*.py")] if "if __name__" in path.read_text("utf-8")]
QUICK = ("charrnn.script_runner", *sys.stdlib_module_names)  # to import
BEGIN = "import os, sys\nfrom charrnn import script_runner\nscript_runner.begin()\n"
SCRIPT = BEGIN + "def main():\n    {}\nsys.exit(script_runner.run(main))"


def script(body: str, redirect: str = "", **options) -> subprocess.CompletedProcess[str]:
    """Run `main` with this body as a process with redirected streams."""
    line = f"set -o pipefail; {shlex.join([sys.executable, '-c', SCRIPT.format(body)])} {redirect}"
    return subprocess.run(["bash", "-c", line], cwd=ROOT, capture_output=True, text=True, **options)


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_scripts_start_with_terminal_run(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    ending = ast.unparse(tree.body[-1])
    assert ending.endswith("sys.exit(script_runner.run(main))") or "sys.exit(run_module('charrnn." in ending
    top_level = {node.lineno for node in tree.body}
    slow = [name for line, name in imports(path) if line in top_level and not name.startswith(QUICK)]
    assert not slow


@pytest.mark.parametrize(
    ("body", "code", "err"),
    [
        ("print('done'); return 3", 3, ""),
        ("return None", 0, ""),
        ("sys.exit('no \\x1b[2J')", 1, r"no \x1b[2J"),
        ("raise KeyboardInterrupt", 130, ""),
        ("raise MemoryError", 1, "-c: out of memory"),
        ("raise RuntimeError('DefaultCPUAllocator: can\\'t allocate memory: you tried')", 1, "-c: out of memory"),
        ("open('/no/\\x1b')", 2, r"-c: /no/\x1b: No such file or directory"),
        ("raise OSError(5, 'Input/output error')", 2, "-c: Input/output error"),
    ],
)
def test_user_errors_are_one_line_and_exit_code(body, code, err):
    result = script(body)
    assert (result.returncode, result.stderr.strip()) == (code, err)


def test_programming_error_keeps_traceback():
    assert "Traceback" in script("raise RuntimeError('size mismatch')").stderr


@pytest.mark.parametrize(
    ("redirect", "code", "err"),
    [
        ("| head -1", 141, ""),
        (">/dev/full", 2, "-c: cannot write the output: No space left on device"),
        (">&-", 0, ""),
        (">&- 2>&- <&-", 0, ""),
    ],
)
@pytest.mark.parametrize("lines", [1, 100_000], ids=["written at the end", "written before the end"])
def test_unwritable_output_ends_quietly(redirect, code, err, lines):
    if (redirect, lines) == ("| head -1", 1):
        redirect = "| true"
    body = f"import time; time.sleep(0.1)\n    for number in range({lines}): print('a line', number)"
    result = script(body, redirect)
    assert (result.returncode, result.stderr.strip()) == (code, err)


@pytest.mark.parametrize(("redirect", "why"), [("| head -1", "Broken pipe"), (">/dev/full", "No space left on device")])
def test_lasting_output_loss_does_not_stop_command(redirect, why, tmp_path):
    body = "with script_runner.lasting_output():\n        for number in range(100_000): print('a line', number)\n"
    result = script(f"{body}        open({str(tmp_path / 'saved')!r}, 'w').close()", redirect)
    assert (result.returncode, result.stderr.strip()) == (0, f"-c: output is lost ({why}): continuing without it")
    assert (tmp_path / "saved").exists()


def test_closed_stdout_is_not_reused_for_files(tmp_path):
    result = script(f"file = open({str(tmp_path / 'file')!r}, 'w'); print('text', flush=True)", ">&-")
    assert result.returncode == 0 and (tmp_path / "file").read_text() == ""


@pytest.mark.parametrize("name", ["publish.py", "train.py"])
def test_ctrl_c_during_import_has_no_traceback(name):
    with subprocess.Popen(
        [sys.executable, "-X", "importtime", str(ROOT / "scripts" / name), "--help"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        lines = []
        for line in process.stderr:
            lines.append(line)
            if "numpy" in line:
                process.send_signal(signal.SIGINT)
                break
        lines += process.stderr.read().splitlines()
    assert process.returncode == 130
    assert not [line for line in lines if not line.startswith("import time:")]


def test_ignored_signals_stay_ignored():
    """A shell ignores SIGINT for background commands."""
    body = "os.kill(os.getpid(), 2); print('running')"
    result = script(body, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN))
    assert (result.returncode, result.stdout) == (0, "running\n")


def test_terminal_output_is_escaped(tmp_path):
    body = r"""print('a\x1b[2Jb'); sys.stderr.write('\x9b2J\n'); script_runner.write_text('\x07\u202e\t\n')"""
    ascii = script("print('αβ')", env=os.environ | {"PYTHONIOENCODING": "ascii"})
    assert (ascii.returncode, ascii.stdout) == (0, "\\u03b1\\u03b2\n")
    piped = script(body)
    assert (piped.stdout, piped.stderr) == ("a\\x1b[2Jb\n\x07\u202e\t\n", "\\x9b2J\n")
    ours, terminal = pty.openpty()
    subprocess.run([sys.executable, "-c", SCRIPT.format(body)], cwd=ROOT, stdout=terminal, stderr=terminal)
    os.close(terminal)
    shown = os.read(ours, 1000).decode()
    assert "\x1b" not in shown and "\x07" not in shown and r"\x07\u202e" in shown


def test_progress_bar_may_move_cursor():
    stream = io.StringIO()
    output = script_runner.Output(stream, lasting=True)
    for text in ("\n", "\x1b[A", "\r50%", "name\x1b[A"):
        output.write(text)
    assert stream.getvalue() == "\n\x1b[A\r50%name\\x1b[A"


@pytest.mark.parametrize("word", ["two words", "it's", "a\x1b[2J\n'\\b", "نمی\u200cدانم", "-x"])
def test_printed_command_is_quoted_for_shell(word):
    line = script_runner.shell_command(ROOT / "scripts/train.py", "--out", word)
    assert "\x1b" not in line and "\n" not in line
    words = subprocess.run(["bash", "-c", f"printf '%s\\0' {line}"], capture_output=True).stdout.decode().split("\0")
    assert words[2:-1] == ["--out", word]


def test_cache_without_home_is_in_temp_folder(monkeypatch, tmp_path):
    """A container may run as a user without a passwd entry."""

    def no_home(*arguments):
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("CHARRNN_CACHE", raising=False)
    monkeypatch.setattr("pathlib.Path.home", no_home)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert cache_path().is_relative_to(tmp_path)
    assert cached_tiny_shakespeare() is None
