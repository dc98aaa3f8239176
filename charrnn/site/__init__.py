"""The static edition: the page as files, with networks and kept analyses."""
