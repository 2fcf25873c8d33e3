"""Progress on stderr: a bar a stage in a terminal, else a line every tenth."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

Report = Callable[[str, float], None]


@contextmanager
def shown_progress(*, hidden: bool) -> Iterator[Report]:
    """A function of stage and share (0 to 1) that shows how far the work is."""
    console = Console(stderr=True)
    if hidden:
        yield _nothing
    elif not console.is_terminal:
        yield _lines(console)
    else:
        with _bars(console) as bars:
            yield _drawn(bars)


def _nothing(stage: str, share: float) -> None:
    """Show nothing."""


def _bars(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description:<28}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=console,
    )


def _drawn(bars: Progress) -> Report:
    tasks: dict[str, TaskID] = {}

    def report(stage: str, share: float) -> None:
        if stage not in tasks:
            tasks[stage] = bars.add_task(stage, total=1.0)
        bars.update(tasks[stage], completed=min(share, 1.0))

    return report


def _lines(console: Console) -> Report:
    tenths: dict[str, int] = {}

    def report(stage: str, share: float) -> None:
        tenth = int(min(share, 1.0) * 10 + 1e-9)
        if tenth > tenths.get(stage, -1):
            tenths[stage] = tenth
            console.print(f"{stage}: {tenth * 10} %", highlight=False, markup=False)

    return report
