"""A network to switch to, for a part that needs another kind of cell."""

from charrnn.ui.server.checkpoint_store import LoadedModel, Store


def network_with(store: Store, *cells: str) -> dict[str, str] | None:
    """Return name and title of a network with the first of these cells on offer.

    Prefers the network that has the name of its cell. None without any.
    """
    for cell in cells:
        infos = [info for info in store.checkpoints() if info.cell == cell]
        if infos:
            info = min(infos, key=lambda info: info.name != cell)
            return {"name": info.name, "title": LoadedModel.title_of(info)}
    return None
