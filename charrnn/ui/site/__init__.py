"""The page without a server: JavaScript modules that take its place."""
