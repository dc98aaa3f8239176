"""A Gradio theme with few styles. Those of the page are in theme.css."""

from gradio.themes import Base


def theme() -> Base:
    """Return a theme with system fonts, without shadows and boxes."""
    return Base(font="sans-serif", font_mono="monospace").set(
        body_background_fill="#fbfaf8",
        body_background_fill_dark="#131417",
        body_text_color="#1d1c1a",
        body_text_color_dark="#ece9e3",
        block_background_fill="transparent",
        block_background_fill_dark="transparent",
        block_border_width="0px",
        block_shadow="none",
        block_padding="0px",
        layout_gap="0px",
        form_gap_width="0px",
    )
