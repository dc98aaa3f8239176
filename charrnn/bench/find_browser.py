"""
Find or install a Chromium for the browser tests.

    python -m charrnn.bench.find_browser     print its path, installing one if needed; exit code 1 on failure
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import sync_playwright

from charrnn import script_runner

# The headless shell renders the same pages with half of the work.
NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome-stable", "google-chrome")


def find_browser() -> Path | None:
    """
    Return the system's Chromium, else Playwright's own; None if neither starts.

    Call it before Playwright is started: it starts Playwright itself.
    """
    return next((Path(path) for path in _candidates() if _starts(path)), None)


def install_browser() -> Path | None:
    """Install Playwright's Chromium, else the package manager's; None if both fail."""
    for words in ([sys.executable, "-m", "playwright", "install", "chromium"], *_package_commands()):
        print("no Chromium yet:", *words, file=sys.stderr, flush=True)
        try:
            subprocess.run(words, stdout=sys.stderr, timeout=900)
        except (OSError, subprocess.TimeoutExpired) as error:
            print(error, file=sys.stderr)
        if browser := find_browser():
            return browser
    return None


def _candidates() -> Iterator[str]:
    yield from filter(None, map(shutil.which, NAMES))
    with sync_playwright() as playwright:
        own = playwright.chromium.executable_path
    yield own


def _starts(path: str) -> bool:
    """Return whether the file runs; a snap stub does not."""
    if not os.access(path, os.X_OK):
        return False
    if os.name == "nt":  # `--version` would open a window there; a download includes its libraries
        return True
    return subprocess.run([path, "--version"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0


def _package_commands() -> list[list[str]]:
    """Return apt-get commands, if available as root or by sudo without a password."""
    if not shutil.which("apt-get"):
        return []
    get = ["apt-get"] if os.geteuid() == 0 else ["sudo", "-n", "apt-get"]
    install = [*get, "install", "-y", "--no-install-recommends"]
    return [[*get, "update"], [*install, "chromium-headless-shell"], [*install, "chromium"]]


def main() -> int:
    """Print the path of the browser, installing it if needed; return the exit code."""
    if (found := find_browser() or install_browser()) is None:
        sys.exit("no Chromium: install one (e.g. `apt-get install chromium`), or run `playwright install chromium`")
    print(found)
    return 0


if __name__ == "__main__":
    sys.exit(script_runner.run(main))
