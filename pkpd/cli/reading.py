"""What is typed, read: numbers with commas, and NAME=VALUE."""

from __future__ import annotations

import typer


def numbers(option: str, text: str) -> tuple[float, ...]:
    """Numbers with commas between them; `option` is the word they were typed after."""
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise typer.BadParameter(
            f"{option} '{text}' is not numbers with commas, as 24,52."
        ) from None


def named_value(option: str, text: str, example: str) -> tuple[str, float]:
    """A name and its number; `example` shows how they are typed."""
    name, _, value = text.partition("=")
    try:
        return name.strip(), float(value)
    except ValueError:
        raise typer.BadParameter(f"{option} '{text}' is not NAME=VALUE, as {example}.") from None


def words(text: str | None) -> tuple[str, ...] | None:
    """Words with commas between them; None where nothing was typed."""
    return None if text is None else tuple(word.strip() for word in text.split(","))
