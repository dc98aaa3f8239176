"""The Gradio app: page layout in `page.py`, the server in `gradio_server.py`."""
