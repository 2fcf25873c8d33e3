"""`pkpd validate`: leave a part out, fit the rest, write down what is expected, then score it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from pkpd.errors import DataError, Fault
from pkpd.files import replacing
from pkpd.fit_folder import Problem, open_fit
from pkpd.provenance import one_hash, provenance
from pkpd.reporting import report
from pkpd.settings_individual import is_individual
from pkpd.settings_joint import is_joint
from pkpd.validation import scoring
from pkpd.validation.forecast import read
from pkpd.validation.left_in import can_fit
from pkpd.validation.left_out import LeftOut, chosen, everything
from pkpd.validation.making import Maker, studies_of
from pkpd.workers import done, workers

Progress = Callable[[str, float], None]


@dataclass(frozen=True)
class Validation:
    """The scores of every part validated so far; which were asked for, and what they missed.

    `missed` holds, by part and forecaster, the demands that the fit of what stays missed.
    """

    table: pd.DataFrame
    asked: tuple[str, ...]
    missed: Mapping[str, tuple[str, ...]]

    @property
    def passed(self) -> bool:
        """Whether every fit of what stays, of the parts asked for, met its demands."""
        return not self.missed

    @property
    def shown(self) -> pd.DataFrame:
        """The scores of the parts asked for."""
        return self.table[self.table["left_out"].isin(self.asked)]


def validate(
    folder: str | Path,
    leave: Sequence[str] = (),
    *,
    count: int | None = None,
    cluster: str | None = None,
    progress: Progress = lambda stage, share: None,
) -> Validation:
    """Leave parts out of an arm-level fit, predict each from the rest, and score the forecasts.

    `leave` names kinds ("trial", "later", "arm", "off-drug"), trials, or arms ("study: arm", or
    the arm alone); nothing stands for all of them. Writes forecasts and draws below
    FOLDER/validation/, validation.csv (scores), validation-rows.csv (each number), and report.html
    anew if there is one. `count` processes, or the workers of the Dask scheduler at `cluster`,
    share the parts; without either they are made here, one after the other. Forecasts are the same.

    Raises
    ------
    DataError
        Listing every unknown name and every part without which nothing is left to fit.
    """
    folder = Path(folder)
    problem = _arm_level(folder)
    parts = chosen(problem.data, leave, lambda part: can_fit(problem, part))
    maker = Maker(problem, folder / "validation")
    if count is None and cluster is None:
        for number, part in enumerate(parts):
            maker.make(part, _within(progress, number, parts))
    else:
        _shared(folder.resolve(), parts, (count, cluster), progress)
    told = list(_told(maker, problem))
    rows = scoring.scored(told, studies_of(problem), problem.data)
    table = scoring.table(rows, problem.settings.model, one_hash(provenance(problem)["hashes"]))
    _write(rows[list(scoring.ROW_COLUMNS)], folder / "validation-rows.csv")
    _write(table, folder / "validation.csv")
    if (folder / "report.html").is_file() and (folder / "card.json").is_file():
        report(folder)
    asked = tuple(part.name for part in parts)
    return Validation(table, asked, _missed(told, asked))


def _arm_level(folder: Path) -> Problem:
    settings = folder / "fit.toml"
    if settings.is_file() and (is_individual(settings) or is_joint(settings)):
        found = "validation leaves out trials and arms, and this fit has individual records"
        raise DataError([Fault(str(folder), found, "Name a fit of arm-level results alone")])
    return open_fit(folder)


def _shared(
    folder: Path,
    parts: Sequence[LeftOut],
    among: tuple[int | None, str | None],
    progress: Progress,
) -> None:
    """The forecasts of all parts, made by workers; progress by parts that are done."""
    count, cluster = among
    with workers(count or 1, cluster) as client:
        items = [(folder, part) for part in parts]
        for number, ((_, part), _) in enumerate(done(client, made, items)):
            progress(f"without {part.name}", (number + 1) / len(parts))


def made(item: tuple[Path, LeftOut]) -> None:
    """The forecasts of one part of a fit, in files; what was begun by another goes on."""
    folder, part = item
    Maker(_arm_level(folder), folder / "validation").make(part, lambda stage, share: None)


def _within(progress: Progress, number: int, parts: Sequence[LeftOut]) -> Progress:
    """Progress under the part's name and place."""
    name = f"{number + 1}/{len(parts)} without {parts[number].name}"
    return lambda stage, share: progress(f"{name}: {stage}", share)


def _told(maker: Maker, problem: Problem):
    """Every forecast there is of today's data, settings and models, read from its file."""
    for part in everything(problem.data):
        if not (maker.root / part.folder).is_dir() or not can_fit(problem, part):
            continue
        files = maker.files(part)
        if all(path.is_file() for path in files.values()):
            for who, path in files.items():
                yield scoring.Told(part.name, who, read(path))


def _missed(told: list[scoring.Told], asked: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    return {
        f"without {each.left_out}, {each.forecaster}": each.missed
        for each in told
        if each.left_out in asked and each.missed
    }


def _write(table: pd.DataFrame, path: Path) -> None:
    with replacing(path) as partial:
        table.to_csv(partial, index=False)
