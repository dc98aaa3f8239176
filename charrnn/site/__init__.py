"""The static edition: the page as files, with networks and kept analyses."""

from charrnn.site.build import PAGE, Site, build_site, selected_checkpoints
from charrnn.site.single_file import is_single_file, single_file
