"""Formats of numbers in texts of the page and of documents."""


def signed(number: float, digits: int = 3) -> str:
    """Format a number with a typographic sign; no sign if it rounds to 0."""
    size = f"{abs(number):.{digits}f}"
    return size if float(size) == 0 else f"{'−' if number < 0 else '+'}{size}"


def counted(characters: int) -> str:
    """Format a number of characters."""
    return "1 character" if characters == 1 else f"{characters:,} characters"


def percent(share: float, digits: int = 0) -> str:
    """Format a share; the space before the sign does not break."""
    return f"{100 * share:.{digits}f}\u00a0%".replace("-", "−")
