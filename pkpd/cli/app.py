"""`pkpd`: words to functions. Exit 0 done, 1 a demand was missed, 2 the input is at fault."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

import typer

from pkpd.cli import (
    assurance_verb,
    courses_verb,
    decide_verb,
    fit_verbs,
    forecast_verb,
    library_verbs,
    predict_verb,
    simulate_verb,
    validate_verb,
)
from pkpd.cli.compiled import keep_compiled
from pkpd.cli.memory import keep_freed
from pkpd.errors import FitError, PkpdError

MISSED, AT_FAULT = 1, 2

VERBS: tuple[Callable[..., None], ...] = (
    library_verbs.models,
    library_verbs.show,
    fit_verbs.check,
    simulate_verb.simulate,
    fit_verbs.fit,
    fit_verbs.diagnose,
    predict_verb.predict,
    courses_verb.courses,
    decide_verb.decide,
    assurance_verb.assurance,
    forecast_verb.forecast,
    fit_verbs.report,
    fit_verbs.run,
    validate_verb.validate,
    library_verbs.fits,
    library_verbs.doctor,
)

app = typer.Typer(
    help="How well is efficacy kept when anti-OX40 dosing is stretched?",
    epilog="Exit code: 0 done, 1 a demand was missed, 2 the input is at fault. Start: pkpd models",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,  # plain text: no box that cuts a long list of faults
    pretty_exceptions_enable=False,
)
for verb in VERBS:
    app.command()(verb)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the words of the command line, or `arguments`; always ends in `SystemExit`."""
    keep_freed()
    keep_compiled()
    try:
        app(args=None if arguments is None else list(arguments), prog_name="pkpd")
    except PkpdError as error:
        print(error, file=sys.stderr)
        sys.exit(MISSED if isinstance(error, FitError) else AT_FAULT)
    except OSError as error:  # a file that may not be read or written
        print(error, file=sys.stderr)
        sys.exit(AT_FAULT)
