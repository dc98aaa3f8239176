"""A network to switch to, for a part that needs another kind of cell."""

from charrnn.ui.server.checkpoint_store import LoadedModel, Store


def network_with(store: Store, *cells: str) -> dict[str, str] | None:
    """Return name and title of a network with the first of these cells on offer.

    None without any.
    """
    for cell in cells:
        infos = [info for info in store.checkpoints() if info.cell == cell]
        for info in sorted(infos, key=lambda info: info.name != cell):
            return {"name": info.name, "title": LoadedModel.title_of(info)}
    return None
