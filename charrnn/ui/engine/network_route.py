"""Serves the weights and the recorded step of a network to the page's engine."""

import gzip
from typing import Any

from gradio.routes import APIRouter, Response  # pyright: ignore[reportPrivateImportUsage]

from charrnn.export.network_file import pack_network
from charrnn.ui.server.analysis_cache import Cache
from charrnn.ui.server.checkpoint_store import LoadedModel, Store

PATH = "/charrnn/network"
MAX_FILES = 8  # in memory, compressed


def network_routes(store: Store) -> list[Any]:
    """
    Return the route PATH?name=…&step=…&sha256=… of the networks of a store.

    It responds with a safetensors file, gzip, with the graph in its metadata; or 404 and the reason as text, for a
    checkpoint that is not offered, has changed, is too large, or whose step cannot be recorded.
    """
    router, files = APIRouter(), Cache(MAX_FILES)

    @router.get(PATH, include_in_schema=False)
    def network(name: str, step: int, sha256: str) -> Response:
        try:
            loaded = store.load(name, step)
            if loaded.info.sha256 != sha256:
                raise ValueError(f"{name} has changed: read the text again")
            content = files.compute(_network_file, loaded)
        except ValueError as error:
            return Response(f"{error}", status_code=404, media_type="text/plain")
        headers = {"Content-Encoding": "gzip", "Cache-Control": "private, max-age=86400"}
        return Response(content, media_type="application/octet-stream", headers=headers)

    return router.routes


def _network_file(loaded: LoadedModel) -> bytes:
    """Return the compressed file, with metadata and views. Raises ValueError."""
    views = {name: view.to_json() for name, view in loaded.views().items()}
    return gzip.compress(pack_network(loaded.checkpoint.model, model=loaded.metadata(), views=views), 1)
