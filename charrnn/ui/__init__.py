"""The Gradio app: page layout in `page.py`, the server in `launch.py`."""
