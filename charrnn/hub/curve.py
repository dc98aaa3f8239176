"""The training curve as a picture for a model card: a PNG, since that is what every page shows."""

import io
import math
from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

from charrnn.metrics import Progress, bits_per_char

WIDTH, HEIGHT = 2400, 1200  # drawn at twice the size, for smooth lines
LEFT, TOP, RIGHT, BOTTOM = 180, 130, 380, 160  # room for labels
PAPER, INK, QUIET, LINE, BLUE = "#ffffff", "#1d1c1a", "#68645e", "#e7e3dc", "#0b6e99"
STEEP = 0.02  # of the steps: where the curve falls from its start, it is cut off


def curve_picture(history: Sequence[Progress]) -> bytes:
    """Bits per character against training steps, on what was trained on and held out. Needs two points or more."""
    last = history[-1].step
    lines = [
        ("held out", BLUE, 8, [(point.step, bits_per_char(point.val_loss_nats)) for point in history]),
        ("training", QUIET, 5, [(point.step, bits_per_char(point.train_loss_nats)) for point in history]),
    ]
    shown = [bits for *_, points in lines for step, bits in points if step >= STEEP * last]
    low, high = math.floor(4 * min(shown)) / 4, math.ceil(4 * max(shown)) / 4
    high = max(high, low + 0.25)

    def place(step: float, bits: float) -> tuple[float, float]:
        across, up = step / last, (min(bits, high) - low) / (high - low)
        return LEFT + across * (WIDTH - LEFT - RIGHT), HEIGHT - BOTTOM - up * (HEIGHT - TOP - BOTTOM)

    image = Image.new("RGB", (WIDTH, HEIGHT), PAPER)
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(48)
    for i in range(5):
        bits, step = low + i * (high - low) / 4, i * last / 4
        (_, y), (x, _) = place(0, bits), place(step, low)
        draw.line([(LEFT, y), (WIDTH - RIGHT, y)], LINE, 3)
        draw.text((LEFT - 28, y), f"{bits:.2f}", QUIET, font, anchor="rm")
        draw.text((x, HEIGHT - BOTTOM + 24), f"{step:,.0f}", QUIET, font, anchor="mt")
    draw.text((28, 16), "bits per character", QUIET, font)
    draw.text(((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 20), "training steps", QUIET, font, anchor="ms")
    ends = [place(*points[-1])[1] for *_, points in lines]
    apart = 28 if abs(ends[0] - ends[1]) >= 56 else 0  # two labels must not cover each other
    for i, (name, colour, width, points) in enumerate(lines):
        draw.line([place(*point) for point in points], colour, width, joint="curve")
        y = ends[i] if apart else sum(ends) / 2 + (28 if i else -28)
        draw.text((WIDTH - RIGHT + 24, y), name, colour, font, anchor="lm")
    file = io.BytesIO()
    image.resize((WIDTH // 2, HEIGHT // 2), Image.Resampling.LANCZOS).save(file, "PNG", optimize=True)
    return file.getvalue()
