"""The title and description that other sites show beside a link to the page."""

import re

from charrnn.ui.server.static_files import read

TEMPLATE_TAGS = re.compile(rb'\s*<meta\s+(?:property="og:|name="twitter:)[^>]*>')  # they describe Gradio


def with_preview(html: bytes) -> bytes:
    """Replace the preview in a page of Gradio by that of this page."""
    own = read("components/link_preview.html").encode()
    return TEMPLATE_TAGS.sub(b"", html).replace(b"<head>", b"<head>\n" + own, 1)
