"""The route that sends a network's weights and recorded step to the page's engine."""

import gzip
from typing import Any

from gradio.routes import APIRouter, Response  # pyright: ignore[reportPrivateImportUsage]

from charrnn.export.network_file import pack_network
from charrnn.ui.server.analysis_cache import Cache
from charrnn.ui.server.checkpoint_store import LoadedModel, Store

PATH = "/charrnn/network"
MAX_FILES = 8  # kept in memory, compressed


def network_routes(store: Store) -> list[Any]:
    """
    Return the route of the networks of a store.

    `?name=…&step=…&sha256=…` -> a safetensors file with the graph in its metadata, gzip; 404 with the reason as text
    for a checkpoint that is not offered, that has changed since, that is too large, or whose step cannot be recorded.
    """
    router, files = APIRouter(), Cache(MAX_FILES)

    @router.get(PATH, include_in_schema=False)
    def network(name: str, step: int, sha256: str) -> Response:
        try:
            model = store.load(name, step)
            if model.info.sha256 != sha256:
                raise ValueError(f"{name} has changed: read the text again")
            content = files.compute(_compressed, model)
        except ValueError as error:
            return Response(f"{error}", status_code=404, media_type="text/plain")
        headers = {"Content-Encoding": "gzip", "Cache-Control": "private, max-age=86400"}
        return Response(content, media_type="application/octet-stream", headers=headers)

    return router.routes


def _compressed(model: LoadedModel) -> bytes:
    """
    Return the file of a loaded model, gzip, with `model` and `views` as the page draws them.

    Raises ValueError.
    """
    views = {name: view.to_json() for name, view in model.views().items()}
    return gzip.compress(pack_network(model.checkpoint.model, model=model.metadata(), views=views), 1)
