"""The session, the providers and the text record of the page, under node."""

from tests.node import run_node


def test_session_modules():
    files = [f"{name}.test.mjs" for name in ("session", "calls_provider", "page_provider", "text_record", "view_query")]
    done = run_node("--test", "--test-reporter=spec", *files)
    assert done.returncode == 0, done.stdout[-5000:]
