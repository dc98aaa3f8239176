"""The session and call provider of the page, under node."""

from tests.node import run_node


def test_session_module():
    done = run_node(
        "--test", "--test-reporter=spec", "session.test.mjs", "calls_provider.test.mjs", "page_provider.test.mjs"
    )
    assert done.returncode == 0, done.stdout[-5000:]
