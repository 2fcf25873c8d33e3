"""Independent pieces of work in other processes, over Dask: the same results whoever does them.

A piece is a function of its item alone: it reads what it needs from files and carries its seed. So
a piece whose worker was killed is done again by another, and nothing of the result changes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pkpd.errors import DataError, Fault, FitError, PkpdError
from pkpd.threads import NAME, at_once

if TYPE_CHECKING:
    from distributed import Client

PATIENCE = 30
"""Seconds to wait for a scheduler."""

UNWATCHED = {"distributed.worker.profile.enabled": False}
"""Dask looks at every worker's stack a hundred times a second; while JAX traces, that costs more
than the tracing."""


@contextmanager
def workers(count: int = 2, address: str | None = None) -> Iterator[Client]:
    """A client of `count` processes, which share its threads, or of a scheduler's workers.

    Workers at an `address` must see the same files under the same paths, and have the package.

    Raises
    ------
    DataError
        If nobody answers at the address, or there is less than one worker.
    PkpdError
        If Dask is not installed.
    """
    try:
        from dask.config import set as configured
        from distributed import Client, LocalCluster
    except ImportError:
        raise PkpdError(
            "Workers need Dask. Install it: pip install 'pkpd-ox40[cluster]', or leave out "
            "--workers and --cluster."
        ) from None
    if address is None and count < 1:
        raise DataError([Fault(f"workers {count}", "less than one", "Give 1 or more")])
    if address is None:
        with (
            configured(UNWATCHED),
            LocalCluster(
                n_workers=count,
                threads_per_worker=1,
                env={NAME: str(max(1, at_once() // count))},
                processes=True,
                dashboard_address="127.0.0.1:0",
            ) as own,
            Client(own) as client,
        ):
            yield client
        return
    try:
        client = Client(address, timeout=PATIENCE)
    except (OSError, ValueError) as error:
        remedy = "Give the address that dask-scheduler printed, as tcp://10.0.0.5:8786"
        said = str(error).splitlines()[0]
        raise DataError([Fault(f"cluster '{address}'", f"no scheduler: {said}", remedy)]) from None
    with client:
        yield client


def done[Item, Found](
    client: Client, work: Callable[[Item], Found], items: Iterable[Item]
) -> Iterator[tuple[Item, Found]]:
    """Each item and what `work` found of it, in the order in which they are ready.

    `work` is a function of a module that workers can import. Errors of a piece are raised here.

    Raises
    ------
    FitError
        If a piece took several workers with it: out of memory, most often.
    """
    from distributed import KilledWorker, as_completed

    waiting = {client.submit(work, item, pure=False): item for item in items}
    ready = as_completed(list(waiting))
    for future in ready:
        item = waiting.pop(future)
        try:
            found = future.result()
        except KilledWorker as error:
            raise FitError(
                f"{work.__name__} of {item} ended every worker that tried it "
                f"({error.allowed_failures + 1}). Look at their memory, or ask for less at a time."
            ) from None
        future.release()
        yield item, found
