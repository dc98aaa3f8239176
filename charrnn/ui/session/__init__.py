"""The text of a page, in JavaScript without DOM."""
