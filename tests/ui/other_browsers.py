"""Firefox and WebKit, by their own protocols: Marionette and WebDriver."""

import json
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from charrnn.bench.find_browser import INSTALL_OTHERS, find_firefox, find_webkit
from tests.ui.any_browser import until
from tests.ui.conftest import BLANK
from tests.ui.test_connection import free_port

START_S = 60
# Navigation does not wait until a page has loaded.
CAPABILITIES = {"pageLoadStrategy": "none", "timeouts": {"script": 60_000}}
RECORD_ERRORS = """
    window.recordedErrors = [];
    const record = (text) => recordedErrors.push(String(text));
    // That observers of sizes go on in the next frame is an error too, which has no words of its own in a single file.
    const isNotice = (message) => /^(ResizeObserver loop|Script error)/.test(message);
    const onError = ({ message, target }) => isNotice(message) || record(message ?? target.src ?? target.href);
    addEventListener("error", onError, true);
    addEventListener("unhandledrejection", ({ reason }) => record(reason));
    addEventListener("securitypolicyviolation", (event) => record(`${event.violatedDirective}: ${event.blockedURI}`));
    console.error = (...words) => record(words.join(" "));
"""
# The console of all pages; the browser's own scripts write to it too.
FIREFOX_ERRORS = """
    const isOfPage = ({ category }) => category === "content javascript" || /CSP|Content Security/.test(category);
    const { nsIScriptError } = Ci;
    const isError = (message) => message instanceof nsIScriptError && !(message.flags & nsIScriptError.warningFlag);
    const found = Services.console.getMessageArray().filter((message) => isError(message) && isOfPage(message));
    Services.console.reset();
    return found.map(String);
"""


class OtherBrowser(ABC):
    """A browser with one page. It has its own profile and ends with `close`."""

    @abstractmethod
    def __init__(self, folder: Path):
        """Start the browser; it keeps its files in an empty folder."""

    def open(self, url: str) -> None:
        """Open another page; return when its first scripts may run."""
        for address, there in ((BLANK, f"location.href === {BLANK!r}"), (url, f"location.href !== {BLANK!r}")):
            self.start_to_open(address)
            until(self.run, there)

    @abstractmethod
    def start_to_open(self, url: str) -> None:
        """Tell the browser the address of another page; returns at once."""

    @abstractmethod
    def run(self, body: str) -> Any:
        """Run the body of a JavaScript function in the page -> what it returns, as JSON."""

    @abstractmethod
    def errors(self) -> list[str]:
        """Return the uncaught errors and blocked requests since the last call."""

    @abstractmethod
    def close(self) -> None:
        """End the browser."""


class Firefox(OtherBrowser):
    """Firefox by Marionette: JSON arrays, each after its length in bytes, on a socket."""

    def __init__(self, folder: Path):
        found = find_firefox()
        assert found, f"no Firefox: {INSTALL_OTHERS}"
        port = free_port()
        preferences = {"marionette.port": port, "datareporting.policy.dataSubmissionEnabled": False}
        lines = [f"user_pref({json.dumps(name)}, {json.dumps(value)});\n" for name, value in preferences.items()]
        (folder / "user.js").write_text("".join(lines))
        flags = [
            "--headless",
            "--no-remote",
            "--marionette",
            "--remote-allow-system-access",
        ]  # errors() is of the system
        self.process = _start([str(found), *flags, "--profile", str(folder)], folder)
        self.socket = _retry(lambda: socket.create_connection(("127.0.0.1", port)), self.process)
        self.answers: IO[bytes] = self.socket.makefile("rb")
        self.number = 0
        self._receive()  # what it is
        self._call("WebDriver:NewSession", capabilities={"alwaysMatch": CAPABILITIES})

    def open(self, url: str) -> None:
        super().open(url)
        self.errors()

    def start_to_open(self, url: str) -> None:
        self._call("WebDriver:Navigate", url=url)

    def run(self, body: str) -> Any:
        return self._call("WebDriver:ExecuteScript", script=body, args=[], sandbox=None)["value"]

    def errors(self) -> list[str]:
        self._call("Marionette:SetContext", value="chrome")
        try:
            return self.run(FIREFOX_ERRORS)
        finally:
            self._call("Marionette:SetContext", value="content")

    def close(self) -> None:
        self.answers.close()
        self.socket.close()
        _end(self.process)

    def _call(self, command: str, **parameters: Any) -> Any:
        self.number += 1
        message = json.dumps([0, self.number, command, parameters]).encode()
        self.socket.sendall(b"%d:%s" % (len(message), message))
        _, _, error, result = self._receive()
        if error:
            raise RuntimeError(f"{error['error']}: {error['message']}")
        return result

    def _receive(self) -> Any:
        size = b""
        while (byte := self.answers.read(1)) != b":":
            if not byte:
                raise RuntimeError("Firefox has ended")
            size += byte
        return json.loads(self.answers.read(int(size)))


class WebKit(OtherBrowser):
    """WebKitGTK's MiniBrowser by WebDriver (JSON over HTTP), on its own display."""

    def __init__(self, folder: Path):
        found = find_webkit()
        assert found, f"no WebKit: {INSTALL_OTHERS}"
        driver, mini_browser = found
        port = free_port()
        self.address = f"http://127.0.0.1:{port}/session"
        # Its sandbox needs user namespaces, which a container may lack.
        more = {"WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS": "1", "HOME": str(folder), "NO_AT_BRIDGE": "1"}
        self.process = _start(["xvfb-run", "-a", str(driver), f"--port={port}"], folder, **more)
        options = {"binary": str(mini_browser), "args": ["--automation"]}
        wanted = {"capabilities": {"alwaysMatch": {**CAPABILITIES, "webkitgtk:browserOptions": options}}}
        session = _retry(lambda: self._call("POST", "", wanted), self.process)
        self.address += "/" + session["sessionId"]

    def open(self, url: str) -> None:
        super().open(url)
        self.run(RECORD_ERRORS)  # the driver does not tell what the console says

    def start_to_open(self, url: str) -> None:
        self._call("POST", "/url", {"url": url})

    def run(self, body: str) -> Any:
        return self._call("POST", "/execute/sync", {"script": body, "args": []})

    def errors(self) -> list[str]:
        return self.run("return recordedErrors.splice(0)")

    def close(self) -> None:
        try:
            self._call("DELETE", "")
        finally:
            _end(self.process)

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(self.address + path, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise RuntimeError(error.read().decode()) from None


def _start(command: list[str], folder: Path, **environment: str) -> subprocess.Popen:
    """Start a program whose output goes to `folder / "out"`."""
    with (folder / "out").open("w") as out:
        more = os.environ | environment
        return subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, env=more, start_new_session=True)


def _retry(connect: Callable[[], Any], process: subprocess.Popen) -> Any:
    deadline = time.monotonic() + START_S
    while True:
        try:
            return connect()
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                _end(process)
                raise
            time.sleep(0.05)


def _end(process: subprocess.Popen) -> None:
    """End a process that `_start` started, and its children."""
    try:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(10)
    except (ProcessLookupError, subprocess.TimeoutExpired):
        process.kill()
        process.wait(10)
