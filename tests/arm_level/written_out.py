"""The log-density of a fit, written out once more from its formulas in NumPy and SciPy.

Shares with the package the data, the virtual patients and the parameters of published
pharmacokinetics; nothing that is solved, integrated or scored. Expectations over a visit's noise
are quadratures, where the package has closed forms.
"""

from __future__ import annotations

import math

import numpy as np
from scipy import stats
from scipy.integrate import solve_ivp
from scipy.special import expit, logit, ndtr

from pkpd.variation.population import population
from pkpd.variation.prior import HalfNormal, LogitNormal, LogNormal, Normal
from pkpd.variation.subjects import subjects, varying

TIGHT = {"method": "DOP853", "rtol": 1e-10, "atol": 1e-12}
SHIFTS = np.array([-0.3, 0.0, 0.3])[:, None]  # of log clearance, where concentrations are solved
POINTS, WEIGHTS = np.polynomial.legendre.leggauss(40)
THRESHOLDS = {"EASI50": 0.5, "EASI75": 0.25, "EASI90": 0.1}


def log_prior(space, values):
    """Sum of scipy's log-densities on the natural scale."""
    total = 0.0
    for variable in space.variables:
        x = np.asarray(values[variable.name])
        match variable.prior:
            case Normal(mean, sd):
                parts = stats.norm(mean, sd).logpdf(x)
            case LogNormal(median, sd):
                parts = stats.lognorm(sd, scale=median).logpdf(x)
            case HalfNormal(sd):
                parts = stats.halfnorm(scale=sd).logpdf(x)
            case LogitNormal(median, sd):
                parts = stats.norm(logit(median), sd).logpdf(logit(x)) - np.log(x * (1 - x))
        total += np.sum(parts)
    return total


def patients(likelihood):
    """The virtual patients, as the settings make them."""
    random = tuple(p.name for p in likelihood.disease.parameters if p.between is not None)
    own = tuple(dict.fromkeys(n for model in likelihood.pk.values() for n in varying(model)))
    runs = likelihood.runs
    return population(
        likelihood.settings.patients, [r.easi for r in runs], [r.seed for r in runs], random, own
    )


def disease_parameters(likelihood, values, people, k):
    """Parameters of run `k`'s patients: the typical value moved on its own scale."""
    trial, drug = likelihood.lanes.trial[k], likelihood.lanes.drug[k]
    found = {}
    for p in likelihood.disease.parameters:
        value = np.asarray(values[p.name])
        if p.only:
            value = value if likelihood.lanes.drugs[drug] in p.only else 0.0
        elif p.per == "drug":
            value = value[drug]
        eta = 0.0
        if p.between is not None:
            eta = eta + values[f"{p.name}_between"] * people.scores[p.name][k]
        if p.between_trials is not None:
            eta = eta + effect(values, p.name, trial)
        if p.scale == "log":
            value = value * np.exp(eta)
        elif not np.all(eta == 0.0):
            value = expit(logit(value) + eta)
        found[p.name] = value
    return found


def effect(values, name, place):
    return values[f"{name}_trial_sd"] * np.asarray(values[f"{name}_trial"])[place]


def solve_run(likelihood, values, people, k, days):
    """Ratio to baseline, probability of staying, mg/L at `days`, each (days, patients).

    Depots are closed forms, so that each patient's lag is a stop of the solver, not a kink.
    """
    lanes, run = likelihood.lanes, likelihood.runs[k]
    count = people.easi.shape[1]
    trial, drug = lanes.trial[k], likelihood.pk[lanes.drugs[lanes.drug[k]]]
    own = {name: people.scores[f"pk {name}"][k] for name in varying(drug)}
    covariates = {name: value[k] for name, value in people.covariates.items()}
    pk = {n: np.asarray(x) * np.ones(count) for n, x in subjects(drug, own, covariates).items()}
    p = disease_parameters(likelihood, values, people, k)
    doses = np.array(run.doses()).reshape(-1, 2)
    shift, uptake = effect(values, "clearance_shift", trial), effect(values, "uptake_shift", trial)
    shift = 0.6 * math.tanh(float(shift) / 0.6)
    easi = people.easi[k]

    def concentration(amount):
        if not len(doses):
            return np.full(count, math.exp(-30.0 + uptake))
        low, mid, high = np.log(np.maximum(amount / pk["v1"], 1e-13))
        slope, bend = (high - low) / 0.6, (high + low - 2 * mid) / 0.18
        return np.exp(mid + shift * slope + shift**2 * bend + uptake)

    def shown(lesions, t):
        placebo = p["placebo"] * (1 - np.exp(-p["kp"] * t))
        lesions = np.maximum(lesions * np.exp(-placebo), 1e-4)
        return lesions / (1 + (easi * lesions / 72) ** 8) ** 0.125

    def slope(t, x, phase):
        x = x.reshape(12, count)
        amount, far, (e, m, r, inflamed, lesions, _) = x[:3], x[3:6], x[6:]
        since = t - doses[:, :1] - pk["lag"]
        depot = np.where(since > 0, doses[:, 1:] * pk["f"] * np.exp(-pk["ka"] * since), 0.0).sum(0)
        level = amount / pk["v1"]
        out = pk["cl"] * np.exp(SHIFTS) * level + pk["vmax"] * level / (pk["km"] + level)
        moved = pk["q"] * (level - far / pk["v2"])
        c = concentration(amount)
        occupancy = c / (c + p["ec50"])
        hazard = values["dropout"] / 365.25 * np.exp(effect(values, "dropout", phase))
        return np.concatenate([
            (pk["ka"] * depot - out - moved).ravel(),
            moved.ravel(),
            p["ke"] * (m * (1 - p["imax"] * occupancy) - e) - p["kdep"] * occupancy * e,
            p["kmem"] * (1 - p["phi"] + p["phi"] * e - m),
            p["kr"] * (1 + p["gr"] * occupancy - r),
            p["ks"] * ((e / r) ** p["gamma"] - inflamed),
            p["ks"] * (inflamed - lesions),
            hazard * shown(lesions, t) ** values["dropout_power"],
        ])  # fmt: skip

    x = np.concatenate([np.zeros((6, count)), np.ones((5, count)), np.zeros((1, count))]).ravel()
    turns = lanes.mesh[:-1][np.diff(lanes.phase[:, k], prepend=-1) != 0]
    begins = (doses[:, :1] + pk["lag"]).ravel()
    stops = np.unique(np.concatenate([[0.0], begins[begins < days[-1]], turns, days]))
    stops = stops[stops <= days[-1]]
    kept = {0.0: x}
    for a, b in zip(stops[:-1], stops[1:], strict=True):
        phase = lanes.phase[np.searchsorted(lanes.mesh, (a + b) / 2) - 1, k]
        x = solve_ivp(slope, (a, b), x, args=(phase,), **TIGHT).y[:, -1]
        kept[float(b)] = x
    found = np.array([kept[float(day)].reshape(12, count) for day in days])
    level = np.array([concentration(each) for each in found[:, :3]])
    return shown(found[:, 10], np.asarray(days)[:, None]), np.exp(-found[:, 11]), level


class Noise:
    """A visit's noise u of one patient, with what the visit shows at quadrature points."""

    def __init__(self, values, ratio, sd, easi, clear, shift=0.0):
        cuts = [(math.log(at / ratio) + sd**2 / 2) / sd for at in THRESHOLDS.values()]
        edges = np.unique([-9.0, *np.clip(np.array(cuts) - shift, -9, 9), 9.0])
        half = np.diff(edges)[:, None] / 2
        self.z = (edges[:-1, None] + half * (1 + POINTS)).ravel()
        self.weight = (half * WEIGHTS).ravel() * stats.norm.pdf(self.z)
        u = self.z + shift
        self.y = ratio * np.exp(sd * u - sd**2 / 2)
        self.reached = {name: u <= cut for name, cut in zip(THRESHOLDS, cuts, strict=True)}
        self.iga = ndtr((np.log(clear) - np.log(easi * self.y)) / values["iga_sd"])
        self.leak = values["leakage"]

    def entry(self, iga):
        """Chance to be re-randomised, given IGA 0/1 or not."""
        if iga:
            return np.ones_like(self.y)
        return np.where(self.reached["EASI75"], 1.0, self.leak * self.reached["EASI50"])

    def shows(self, name, iga, change):
        """The statistic `name` given whether IGA is 0/1."""
        if name == "present":
            return np.ones_like(self.y)
        if name == "EASI_PCHG":
            return self.y - 1 - change
        if name == "IGA01":
            return np.full_like(self.y, float(iga))
        return self.entry(iga) if name == "ENTRY" else self.reached[name].astype(float)

    def mean(self, make):
        """Expectation of make(iga) over u and IGA."""
        inside = self.iga * make(True) + (1 - self.iga) * make(False)
        return float((self.weight * inside).sum())


HERMITE = (lambda z: 1.0, lambda z: z, lambda z: z**2 - 1, lambda z: z**3 - 3 * z)


def coefficients(noise, name, change):
    """E[g He_k(u)], k = 0 to 3; of ENTRY the first two."""
    found = [
        noise.mean(lambda iga, he=he: noise.shows(name, iga, change) * he(noise.z))
        for he in HERMITE
    ]
    return found[:2] + [0.0, 0.0] if name == "ENTRY" else found


def product(noise, first, second, change):
    """E[g g'] at one visit; ENTRY by itself is a count."""
    if first == second == "ENTRY":
        return noise.mean(noise.entry)
    return noise.mean(
        lambda iga: noise.shows(first, iga, change) * noise.shows(second, iga, change)
    )


def transform(s, a, names, mean, covariance, level_sd):
    """Expected features and covariance on the scale results are kept on."""
    n = s.n[a]
    expected, scale, rounding = np.empty(len(names)), np.empty(len(names)), np.empty(len(names))
    for f, (name, m) in enumerate(zip(names, mean, strict=True)):
        own = covariance[f, f]
        if name == "EASI_PCHG":
            expected[f], scale[f], rounding[f] = m, 1.0, 1e-8
        elif name == "CONC":
            expected[f], scale[f] = math.log(m) - own / (2 * m**2), 1 / m
            rounding[f] = (level_sd * m) ** 2
        else:

            def anscombe(share):
                return math.asin(math.sqrt((n * share + 0.375) / (n + 0.75)))

            step = 1e-4
            up, here, down = (anscombe(m + d) for d in (step, 0.0, -step))
            rare = min(n * m, n * (1 - m)) <= 1
            inner = (n * m + 0.375) / (n + 0.75)
            scale[f] = n / (n + 0.75) / (2 * math.sqrt(inner * (1 - inner)))
            expected[f] = here + (0.0 if rare else (up - 2 * here + down) / step**2 * own / 2)
            rounding[f] = 1 / (12 * n**2)
    covariance = covariance + np.diag(rounding)
    return expected, covariance * np.outer(scale, scale)


def noise_covariance(values, weeks):
    t, other = weeks[:, None], weeks[None, :]
    slow, apart = values["flare_memory"], np.abs(t - other)
    flares = values["flare_sd"] ** 2 * (np.exp(-apart / slow) - np.exp(-(t + other) / slow))
    return flares + values["visit_sd"] ** 2 * np.exp(-apart / values["visit_memory"])


def randomised(values, s, a, path, easi, clear):
    """Expected posted numbers of arm `a` and their covariance, before transformation."""
    ratio, stay, level = path
    k = noise_covariance(values, s.weeks)
    sd = np.sqrt(np.diag(k))
    alike = k / np.outer(sd, sd)
    come, count = 1 - values["missed"], len(easi)
    noises = [
        [Noise(values, ratio[t, i], sd[t], easi[i], clear) for i in range(count)]
        for t in range(len(s.weeks))
    ]
    present = stay.mean(axis=1)
    change = (stay * (ratio - 1)).mean(axis=1) / present
    exposure = (stay * level).mean(axis=1) / present
    places = [divmod(f, len(s.columns)) for f in np.flatnonzero(s.posted[a])]
    names = [s.columns[c] for _, c in places]
    d = np.zeros((len(names), count, 4))
    weight = np.ones(len(names))
    for f, ((t, _), name) in enumerate(zip(places, names, strict=True)):
        if name == "CONC":
            d[f, :, 0], weight[f] = level[t] - exposure[t], 1 / (come * present[t])
            continue
        d[f] = [coefficients(noise, name, change[t]) for noise in noises[t]]
        weight[f] = 1 / s.share_seen[a, t] if name == "EASI_PCHG" else 1.0
    expected = [come * (stay[t] * d[f, :, 0]).mean() for f, (t, _) in enumerate(places)]
    second = np.zeros((len(names), len(names)))
    for f, (t, _) in enumerate(places):
        for g, (v, _) in enumerate(places):
            first, other = names[f], names[g]
            if t != v:
                powers = alike[t, v] ** np.arange(4) / [1, 1, 2, 6]
                inside = (d[f] * d[g] * powers).sum(axis=1)
                second[f, g] = come**2 * (stay[max(t, v)] * inside).mean()
                continue
            if first == "CONC" or other == "CONC":
                inside = d[f, :, 0] * d[g, :, 0]
            else:
                inside = [product(noise, first, other, change[t]) for noise in noises[t]]
            second[f, g] = come * (stay[t] * inside).mean()
    centre = np.outer(expected, expected)
    covariance = np.outer(weight, weight) * (second - centre) / s.n[a]
    mean = np.array(expected)
    for f, ((t, _), name) in enumerate(zip(places, names, strict=True)):
        if name == "EASI_PCHG":
            mean[f] = change[t]
        if name == "CONC":
            mean[f] = exposure[t]
            sampled = min(s.share_sampled[a, t], come * present[t])
            covariance[f, f] = level_variance(s, a, stay[t], level[t]) / (sampled * s.n[a])
    return names, places, mean, covariance


def level_variance(s, a, weight, level):
    """Variance of one measured concentration over patients and assay."""
    weight = weight / weight.sum()
    mean = (weight * level).sum()
    return (weight * ((level - mean) ** 2 + (s.residual[a] * level) ** 2)).sum()


def entered(values, s, a, path, easi, clear):
    """The same for patients of another study who entered this one at its first visit."""
    ratio, stay, level = path
    k = noise_covariance(values, s.weeks)
    sd = np.sqrt(np.diag(k))
    tilt = k[0] / sd[0]
    count, visits = len(easi), len(s.weeks)

    def enter(shift):
        """Probability of entry of each patient with the selection visit's noise shifted."""
        noises = [Noise(values, ratio[0, i], sd[0], easi[i], clear, shift) for i in range(count)]
        return np.array([noise.mean(noise.entry) for noise in noises])

    alone = enter(0.0)
    total = (stay[0] * alone).mean()
    come = np.where(np.arange(visits) == 0, 1.0, 1 - values["missed"])
    present = (stay * alone).mean(axis=1) / total
    y = ratio * np.array([enter(c) for c in tilt])
    change = (stay * y).mean(axis=1) / (stay * alone).mean(axis=1) - 1
    exposure = (stay * alone * level).mean(axis=1) / (stay * alone).mean(axis=1)
    places = [divmod(f, len(s.columns)) for f in np.flatnonzero(s.posted[a])]
    names = [s.columns[c] for _, c in places]
    weight = {
        "present": lambda t: 1.0,
        "EASI_PCHG": lambda t: 1 / s.share_seen[a, t],
        "CONC": lambda t: 1 / (come[t] * present[t]),
    }

    def inside(t, name, v, other):
        """E[A g g'] of each patient, one concentration taken off its mean."""
        off = [level[w] - exposure[w] for w in (t, v)]
        base = [1 + change[w] for w in (t, v)]
        if name == other == "EASI_PCHG":
            both = ratio[t] * ratio[v] * np.exp(k[t, v]) * enter(tilt[t] + tilt[v])
            return both - base[1] * y[t] - base[0] * y[v] + base[0] * base[1] * alone
        factor = np.ones(count)
        for one, o in ((name, off[0]), (other, off[1])):
            factor = factor * (o if one == "CONC" else 1.0)
        if "EASI_PCHG" in (name, other):
            w = t if name == "EASI_PCHG" else v
            return factor * (y[w] - (1 + change[w]) * alone)
        return factor * alone

    size = len(names)
    mean, covariance = np.zeros(size), np.zeros((size, size))
    for f, ((t, _), name) in enumerate(zip(places, names, strict=True)):
        mean[f] = {"present": come[t] * present[t], "EASI_PCHG": change[t], "CONC": exposure[t]}[
            name
        ]
        for g, ((v, _), other) in enumerate(zip(places, names, strict=True)):
            taken = come[t] if t == v else come[t] * come[v]
            found = taken * (stay[max(t, v)] * inside(t, name, v, other)).mean() / total
            covariance[f, g] = found * weight[name](t) * weight[other](v) / s.n[a]
    for f, name in enumerate(names):
        for g, other in enumerate(names):
            if name == other == "present":
                covariance[f, g] -= mean[f] * mean[g] / s.n[a]
    for f, ((t, _), name) in enumerate(zip(places, names, strict=True)):
        if name == "CONC":
            sampled = min(s.share_sampled[a, t], come[t] * present[t])
            variance = level_variance(s, a, stay[t] * alone, level[t])
            covariance[f, f] = variance / (sampled * s.n[a])
    return names, places, mean, covariance


def moments(likelihood, values):
    """(study, arm, names, places, mean, covariance) of every arm, before transformation."""
    values = {name: np.asarray(value) for name, value in values.items()}
    people = patients(likelihood)
    days = np.unique(np.concatenate([[0.0], *[s.weeks * 7.0 for s in likelihood.studies]]))
    paths = [solve_run(likelihood, values, people, k, days) for k in range(len(likelihood.runs))]
    found = []
    for s in likelihood.studies:
        at = np.searchsorted(days, s.weeks * 7.0)
        for a, k in enumerate(s.run):
            clear = values["iga_easi"] * np.exp(
                effect(values, "iga_easi", likelihood.lanes.trial[k])
            )
            make = entered if s.entered else randomised
            path = [part[at] for part in paths[k]]
            found.append((s, a, *make(values, s, a, path, people.easi[k], clear)))
    return found


def plain(s, a, names, mean):
    """Expected features on the fitted scale, to first order."""
    return transform(s, a, names, mean, np.zeros((len(names), len(names))), 0.0)[0]


def by_arm(here, level_sd, reference=None):
    """Log-likelihood of every arm from its `moments`, in the package's order.

    With moments at a `reference`, covariances and the second-order part of means are theirs.
    """
    found = []
    for (s, a, names, places, mean, _), held in zip(here, reference or here, strict=True):
        *_, other, covariance = held
        expected, covariance = transform(s, a, names, other, covariance, level_sd)
        expected = expected - plain(s, a, names, other) + plain(s, a, names, mean)
        observed = s.observed[a][s.posted[a]]
        whole = stats.multivariate_normal(expected, covariance).logpdf(observed)
        if s.entered:
            first = [f for f, (t, _) in enumerate(places) if t == 0]
            whole -= stats.multivariate_normal(
                expected[first], covariance[np.ix_(first, first)]
            ).logpdf(observed[first])
        found.append(whole)
    return np.array(found)
