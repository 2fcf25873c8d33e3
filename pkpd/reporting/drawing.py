"""A blank figure, and its text as SVG that can stand inside a page."""

from __future__ import annotations

import io
import re
from html import escape
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

INK, GREY, PALE = "#1f2933", "#52606d", "#c5cdd6"
BLUE, ORANGE = "#0b5394", "#b34700"

# Colour-blind safe, each at least 4.5 : 1 on white, each with its own line and mark.
STYLES = (
    ("#1b1b1b", "-", "o"),
    ("#0b5fa5", "--", "s"),
    ("#b34700", "-.", "^"),
    ("#00755a", (0, (1, 1.2)), "D"),
    ("#a1286a", (0, (5, 1.5, 1, 1.5, 1, 1.5)), "v"),
    ("#6b5b00", (0, (7, 2)), "P"),
)
SETTINGS: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "pkpd",
    "font.family": "DejaVu Sans",
    "font.size": 11,
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "axes.unicode_minus": True,
}


def canvas(width: float, height: float, *, rows: int = 1, columns: int = 1) -> tuple:
    """Give back a figure of `width` by `height` page pixels and its axes, rows by columns."""
    with matplotlib.rc_context(SETTINGS):
        layout = ConstrainedLayoutEngine(w_pad=3 / 72, h_pad=3 / 72)
        figure = Figure(figsize=(width / 72, height / 72), layout=layout)
        axes = figure.subplots(rows, columns, squeeze=False)
    return figure, axes


def week_axis(axis: Axes, weeks: list[float], *, most: int = 7) -> None:
    """Tick the axis at round weeks within those shown."""
    low, high = min(weeks), max(weeks)
    step = next(s for s in (1, 2, 4, 8, 12, 16, 24, 26, 52, 104, 1e9) if (high - low) / s < most)
    first = -(-low // step) * step
    axis.set_xticks([first + step * i for i in range(int((high - first) // step) + 1)])


def svg(figure: Figure, *, name: str, alt: str) -> str:
    """Give back the figure as inline SVG: own ids, the page's font, and `alt` read aloud."""
    buffer = io.StringIO()
    empty = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    with matplotlib.rc_context(SETTINGS):
        figure.savefig(buffer, format="svg", metadata=empty, transparent=True)
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL)
    text = re.sub(r"'DejaVu Sans'[^;\"]*", "sans-serif", text)
    return own_ids(head(text, alt), name)


def head(text: str, alt: str) -> str:
    """Give back the SVG with an opening tag that scales and speaks."""
    box = text.partition('viewBox="')[2].partition('"')[0]
    width = box.split()[2]
    open_tag = (
        f'<svg viewBox="{box}" role="img" aria-label="{escape(alt, quote=True)}"'
        f' style="max-width:{float(width):.0f}px">'
    )
    return re.sub(r"<svg[^>]*>", lambda _: open_tag, text, count=1)


def own_ids(text: str, name: str) -> str:
    """Give back the SVG with unused ids gone and the used ones prefixed by `name`."""
    used = set(re.findall(r'xlink:href="#([^"]+)"', text)) | set(
        re.findall(r"url\(#([^)]+)\)", text)
    )
    text = re.sub(
        r' id="([^"]+)"',
        lambda m: f' id="{name}-{m.group(1)}"' if m.group(1) in used else "",
        text,
    )
    text = re.sub(r'xlink:href="#', f'href="#{name}-', text)
    return re.sub(r"url\(#", f"url(#{name}-", text)
