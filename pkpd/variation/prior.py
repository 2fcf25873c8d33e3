"""Priors as data: frozen values that know no sampler.

Formulas (density on the natural scale of the parameter, always normalised):

* `Normal(mean, sd)`
* `LogNormal(median, sd)`: log x ~ normal(log median, sd)
* `LogitNormal(median, sd)`: logit x ~ normal(logit median, sd), x in (0, 1)
* `HalfNormal(sd)`: x >= 0, density 2 normal(x | 0, sd)
* `Partial(shape)`: x within -1 and 1, (x + 1) / 2 ~ beta(shape, shape): a partial correlation
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Normal:
    """Normal with this mean and standard deviation."""

    mean: float
    sd: float

    @property
    def median(self) -> float:
        """The median, which is the mean."""
        return self.mean


@dataclass(frozen=True)
class LogNormal:
    """Log-normal with this median; `sd` is that of the logarithm."""

    median: float
    sd: float


@dataclass(frozen=True)
class LogitNormal:
    """Logit-normal with this median; `sd` is that of the logit."""

    median: float
    sd: float


@dataclass(frozen=True)
class HalfNormal:
    """The positive half of a normal about 0; `sd` is that of the whole normal."""

    sd: float

    @property
    def median(self) -> float:
        """The median: the upper quartile of the whole normal."""
        return 0.6744897501960817 * self.sd


@dataclass(frozen=True)
class Partial:
    """A partial correlation, symmetric about 0: (x + 1) / 2 is beta(shape, shape)."""

    shape: float

    @property
    def median(self) -> float:
        """The median, which is 0."""
        return 0.0


Prior = Normal | LogNormal | LogitNormal | HalfNormal | Partial
