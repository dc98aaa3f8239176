"""The bundled checkpoints in place of a Hub repository that cannot be reached."""

from pathlib import Path

from charrnn.checkpoint import list_checkpoints
from charrnn.hub.download import Origin, fetch
from charrnn.hub.errors import HubError

BUNDLED_NOTICE = ". These are the networks that come with the lab."
NO_CHECKPOINT_NOTICE = ", and no network came with this page: look again in a moment."


def fetch_with_fallback(source: str, bundled: Path, *, always: bool = False) -> Origin:
    """
    Fetch; if the Hub is unreachable and nothing is cached, use `bundled`.

    always: use `bundled` for any error; otherwise raises HubError for errors other than an unreachable Hub.
    """
    try:
        return fetch(source)
    except HubError as error:
        if not (always or error.is_temporary):
            raise
        has_bundled = bool(list_checkpoints(bundled)[0])  # a Space has no bundled ones
        return Origin(
            bundled, source, notice=f"{error.user_message}{BUNDLED_NOTICE if has_bundled else NO_CHECKPOINT_NOTICE}"
        )
