"""
Serve the page by several processes at one address: app.py as often as there are cores, nginx before them.

    python scripts/serve.py                      as many as there are cores, at http://127.0.0.1:7860
    python scripts/serve.py --processes 4 --host 0.0.0.0 --checkpoints owner/name

Every visitor stays with one process (deploy/nginx.conf says how). A process that ends is started again, and meanwhile
the others take its visitors; Ctrl-C, or the terminal's end, ends everything. All have the same networks: which commit
a repository is at is looked up once, and stays until this script is started again. What is wrong is said on stderr,
with exit code 1.
"""

import argparse
import http.client
import ipaddress
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from charrnn import command

command.begin(__name__)

import app
from scripts.nginx import MISSING, find_nginx

TEMPLATE = ROOT / "deploy/nginx.conf"
MARKED = re.compile(r"( *# processes:begin\n).*?( *# processes:end\n)", re.DOTALL)
LISTEN = re.compile(r"listen 127\.0\.0\.1:7860;")
CHECKED = "max_fails=1 fail_timeout=2s"
PIN = """
import sys, app
from charrnn.hub import HubError
try:
    print(app.checkpoints(*sys.argv[1:] or [None]).pinned)
except HubError as error:
    print(error)
    sys.exit(1)
"""
LOCAL = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # no proxy knows this machine's own addresses
SOON = 5.0  # seconds: a process that has lived less is not started again at once


class ServeError(Exception):
    """Why it cannot be served."""


def configuration(host: str, port: int, ports: Sequence[int]) -> str:
    """deploy/nginx.conf for this address and the processes on these ports."""
    text = LISTEN.sub(f"listen {_as_address(host)}:{port};", TEMPLATE.read_text(encoding="utf-8"))
    return MARKED.sub(lambda marks: f"{marks[1]}{_indented(_processes(ports))}{marks[2]}", text)


def _as_address(host: str) -> str:
    """With brackets where it is one of IPv6."""
    return f"[{host}]" if ":" in host else host


def _processes(ports: Sequence[int]) -> str:
    servers = [f"    server 127.0.0.1:{port} {CHECKED};" for port in ports]
    lines = ["upstream newcomers { # to the one with the fewest pages open"]
    lines += ["    zone newcomers 64k;", "    least_conn;", *servers, "}"]
    lines += ["upstream by_address { # who keeps no cookies, a script say"]
    lines += ["    zone by_address 64k;", "    hash $remote_addr consistent;", *servers, "}"]
    for number, server in enumerate(servers, 1):
        note = " # the others stand in where it does not answer" if number == 1 else ""
        others = [f"    server 127.0.0.1:{port} backup;" for port in ports if port != ports[number - 1]]
        lines += [f"upstream process_{number} {{{note}", f"    zone process_{number} 64k;", server, *others, "}"]
    numbers = range(1, len(ports) + 1)
    lines += ["map $cookie_charrnn_process $process {", *(f"    {number} process_{number};" for number in numbers)]
    lines += [
        "    default $without_cookie;",
        "}",
        "map $upstream_addr $answered { # the last one, where several were tried",
    ]
    lines += [f"    ~:{port}$ {number};" for number, port in zip(numbers, ports, strict=True)]
    return "\n".join([*lines, '    default "";', "}"])


def _indented(text: str) -> str:
    return "".join(f"    {line}\n" for line in text.splitlines())


class Process:
    """One app.py, and how often it had to be started."""

    def __init__(self, number: int, port: int, options: Sequence[str], environment: Mapping[str, str]):
        self.number, self.port = number, port
        self.command = [*_tied(), sys.executable, "app.py", "--port", str(port), *options]
        self.environment = os.environ | environment
        self.start()

    def start(self) -> None:
        """Start it; Ctrl-C is for this script alone, which then ends it."""
        self.began = time.monotonic()
        self.running = subprocess.Popen(
            self.command, cwd=ROOT, env=self.environment, stdout=subprocess.DEVNULL, start_new_session=True
        )
        print(f"process {self.number}: pid {self.running.pid}, port {self.port}", flush=True)

    def answers(self) -> bool:
        """Whether it can be visited. Raises ServeError where it has ended."""
        if self.running.poll() is not None:
            raise ServeError(f"process {self.number} ended with exit code {self.running.returncode}")
        try:
            with LOCAL.open(f"http://127.0.0.1:{self.port}/", timeout=60):
                return True
        except (OSError, http.client.HTTPException):
            return False

    def look_after(self) -> None:
        """Start it again where it has ended, once it has had time to say why."""
        code = self.running.poll()
        if code is None or time.monotonic() - self.began < SOON:
            return
        print(f"process {self.number} ended with exit code {code}: starting it again", file=sys.stderr, flush=True)
        self.start()


def serve(options: argparse.Namespace, stop: threading.Event) -> None:
    """Serve until `stop` is set. Raises ServeError where that cannot be, or not any longer."""
    nginx = find_nginx()
    if nginx is None:
        raise ServeError(MISSING)
    port = options.port or _free_ports(1)[0]
    is_of_this_machine = _require_free(options.host, port)
    ports = _free_ports(options.processes)
    threads = max(1, (os.cpu_count() or 1) // options.processes)
    named, environment = checkpoints(options.checkpoints, stop)
    if stop.is_set():
        return
    named += ["--allowed-hosts", ",".join(options.allowed_hosts or ([] if is_of_this_machine else ["*"]))]
    environment = {"OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", str(threads))} | environment
    running, processes = list[subprocess.Popen](), list[Process]()
    with tempfile.TemporaryDirectory(prefix="charrnn-") as folder:
        os.chmod(folder, 0o711)  # noqa: S103  started by root, nginx works as nobody, and keeps its own folders in here
        file = Path(folder) / "nginx.conf"
        file.write_text(configuration(options.host, port, ports), encoding="utf-8")
        try:
            for number, each in enumerate(ports, 1):
                processes.append(Process(number, each, named, environment))
            while not (stop.is_set() or all(process.answers() for process in processes)):
                stop.wait(0.1)
            front = subprocess.Popen(
                [*_tied(), str(nginx), "-e", "stderr", "-p", folder, "-c", str(file)], start_new_session=True
            )
            running.append(front)
            said = False
            while not stop.wait(0.2):
                if front.poll() is not None:
                    raise ServeError(f"nginx ended with exit code {front.returncode}")
                if not said and (said := _listens(options.host, port)):
                    print(f"Char-RNN Lab: http://{_as_address(options.host)}:{port}", flush=True)
                for process in processes:
                    process.look_after()
        finally:
            running += [process.running for process in processes]
            _end(running)


def checkpoints(named: str | None, stop: threading.Event) -> tuple[list[str], dict[str, str]]:
    """
    What tells every app.py which checkpoints to take, as this script was told: options, and variables.

    Of a repository, the commit that it is at now. Where the Hub is away, that of the cache; where there is none, it is
    left to each to have the bundled ones and to say so. Raises ServeError where app.py would not start with it.
    """
    source = named or os.environ.get(app.VARIABLE)
    if not source:
        return [], {}
    if Path(source).expanduser().is_dir():
        pinned = os.path.abspath(Path(source).expanduser())
    else:
        pinned = _pinned([named] if named else [], stop) or source
    return (["--checkpoints", pinned], {}) if named else ([], {app.VARIABLE: pinned})


def _pinned(named: Sequence[str], stop: threading.Event) -> str:
    """The same by a process of its own, which can be ended at any moment of a download."""
    words = [*_tied(), sys.executable, "-c", PIN, *named]
    asked = subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True)
    try:
        while asked.poll() is None and not stop.wait(0.1):
            pass
    finally:
        _end([asked])
    said, _ = asked.communicate()
    if asked.returncode and not stop.is_set():
        raise ServeError(said.strip() or "the checkpoints cannot be looked up")
    return said.strip()


@cache
def _tied() -> list[str]:
    """What lets a command end with this process, even where that is killed; nothing where there is no such program."""
    words = ["setpriv", "--pdeathsig", "TERM"]
    try:
        return words if subprocess.run([*words, "true"], capture_output=True).returncode == 0 else []
    except OSError:
        return []


def _end(running: Sequence[subprocess.Popen]) -> None:
    for process in running:
        process.terminate()
    for process in running:
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _listens(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), timeout=1):
            return True
    except OSError:
        return False


def _require_free(host: str, port: int) -> bool:
    """
    Whether only this machine can come there.

    Raises ServeError where nginx could not listen: it would go on trying, beside whoever does.
    """
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # what has just ended is in nobody's way
            probe.bind(address)
            return ipaddress.ip_address(probe.getsockname()[0].partition("%")[0]).is_loopback
    except (OSError, UnicodeError) as error:
        where, why = f"{_as_address(host)}:{port}", getattr(error, "strerror", None) or "this is no name of a host"
        raise ServeError(f"cannot listen on {where}: {why}; give another --host or --port") from None


def _free_ports(count: int) -> list[int]:
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]
    finally:
        for probe in probes:
            probe.close()


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--processes", type=_count, default=os.cpu_count() or 1, help="how many (one for each core)")
    parser.add_argument("--host", type=app.host, default="127.0.0.1", help="address to listen on (%(default)s)")
    parser.add_argument("--port", type=app.port, default=7860, help="port to listen on, 0 for a free one (%(default)s)")
    parser.add_argument(
        "--allowed-hosts", type=app.hosts, default=os.environ.get(app.HOSTS, ""), metavar="NAME,…", help="as for app.py"
    )
    parser.add_argument("--checkpoints", type=app.source, help="as for app.py")
    return parser.parse_args(arguments)


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 64):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of processes: give 1 to 64")
    return int(text)


def main() -> int:
    """Serve until Ctrl-C, or until asked to end."""
    stop = threading.Event()
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        which = getattr(signal, name, None)
        if which and (name != "SIGHUP" or signal.getsignal(which) != signal.SIG_IGN):  # as nohup leaves it
            signal.signal(which, lambda *_: stop.set())
    try:
        serve(parse(), stop)
    except (ServeError, OSError) as error:
        print(f"serve.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(command.run(main))
