"""What every test can ask for: `browser_path`, and below it whatever more than one room's tests need."""

from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("charrnn", deadline=None)  # no timing is asserted, on a busy machine least of all
settings.load_profile("charrnn")


@pytest.fixture(scope="session")
def browser_path() -> Path:
    """The Chromium that browser tests start. No browser at all is a failure, never a skip."""
    from scripts.browser import find_browser

    path = find_browser()
    assert path is not None, "no Chromium: run `python scripts/browser.py`, which installs one"
    return path


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What passing tests have to tell by `record_property("told", …)`."""
    for report in terminalreporter.getreports("passed"):
        for name, value in report.user_properties:
            if name == "told":
                terminalreporter.write_line(str(value))
