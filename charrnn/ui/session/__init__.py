"""The server side of a page's text. The session itself runs in the page."""
