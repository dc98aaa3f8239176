"""
Find or install the browsers of the browser tests.

    python -m charrnn.bench.find_browser          print the path of Chromium
    python -m charrnn.bench.find_browser --all    also those of Firefox and of WebKit's driver and browser

A browser that is missing is installed where that is possible. Exit code 1 if it is not.
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
FIREFOX = ("firefox-esr", "firefox")
MINI_BROWSERS = ("lib/*/webkit2gtk-*/MiniBrowser", "lib*/webkit2gtk-*/MiniBrowser", "libexec/webkit2gtk-*/MiniBrowser")
OTHERS = ("firefox-esr", "webkit2gtk-driver", "xvfb", "xauth")  # packages
INSTALL_OTHERS = f"apt-get install -y {' '.join(OTHERS)}"


def find_browser() -> Path | None:
    """
    Return the system's Chromium, else Playwright's own; None if neither starts.

    Call it before Playwright is started: it starts Playwright itself.
    """
    return next((Path(path) for path in _candidates() if _starts(path)), None)


def find_firefox() -> Path | None:
    """Return the system's Firefox; None if none starts."""
    return next((Path(path) for path in filter(None, map(shutil.which, FIREFOX)) if _starts(path)), None)


def find_webkit() -> tuple[Path, Path] | None:
    """Return WebKitGTK's driver and browser; None unless both and xvfb-run exist."""
    driver = shutil.which("WebKitWebDriver")
    mini_browsers = sorted(path for pattern in MINI_BROWSERS for path in Path("/usr").glob(pattern))
    if driver is None or not mini_browsers or shutil.which("xvfb-run") is None:
        return None
    return Path(driver), mini_browsers[-1]


def install_browser() -> Path | None:
    """Install Playwright's Chromium, else the package manager's; None if both fail."""
    playwright = [sys.executable, "-m", "playwright", "install", "chromium"]
    for words in (playwright, *_package_commands(["chromium-headless-shell"], ["chromium"])):
        _install("Chromium", words)
        if browser := find_browser():
            return browser
    return None


def other_browsers() -> list[Path]:
    """Return the paths of Firefox and WebKit, installed if needed; exit on failure."""
    if not (find_firefox() and find_webkit()):
        for words in _package_commands([*OTHERS]):
            _install("Firefox or WebKit", words)
    firefox, webkit = find_firefox(), find_webkit()
    if firefox is None or webkit is None:
        sys.exit(f"no {'WebKit' if firefox else 'Firefox'}: {INSTALL_OTHERS}")
    return [firefox, *webkit]


def _install(what: str, words: list[str]) -> None:
    print(f"no {what} yet:", *words, file=sys.stderr, flush=True)
    try:
        subprocess.run(words, stdout=sys.stderr, timeout=900)
    except (OSError, subprocess.TimeoutExpired) as error:
        print(error, file=sys.stderr)


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


def _package_commands(*choices: list[str]) -> list[list[str]]:
    """Return the apt-get commands of each choice, for root or sudo without password."""
    if not shutil.which("apt-get"):
        return []
    get = ["apt-get"] if os.geteuid() == 0 else ["sudo", "-n", "apt-get"]
    install = [*get, "install", "-y", "--no-install-recommends"]
    return [[*get, "update"], *([*install, *packages] for packages in choices)]


def main() -> int:
    """Print the paths of the browsers, installed if needed; return the exit code."""
    parser = script_runner.script_parser(__doc__)
    parser.add_argument("--all", action="store_true", help="Firefox and WebKit too")
    needs_others = parser.parse_args().all
    if (found := find_browser() or install_browser()) is None:
        sys.exit("no Chromium: install one (e.g. `apt-get install chromium`), or run `playwright install chromium`")
    print(found, *(other_browsers() if needs_others else []), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(script_runner.run(main))
