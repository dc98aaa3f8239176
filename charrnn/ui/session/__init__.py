"""The text of a page: the session is JavaScript in the page; here are the calls that it makes."""
