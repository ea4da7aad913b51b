# SPDX-License-Identifier: Apache-2.0
"""A normative chart: the distribution of each measure given age and sex, and the place of a head in it.

:class:`LocationScale` models a single measure, :class:`NormativeChart` all measures of a table of heads.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.interpolate import CubicSpline
from scipy.optimize import minimize
from scipy.stats import binomtest

from .measures import Measure

__all__ = ["BAND", "SEXES", "LocationScale", "NormativeChart", "check_sexes"]

SEXES = ("F", "M")
BAND = (0.05, 0.95)
"""Quantiles at the ends of the band that a chart shows."""
MIN_HEADS = 10
"""Smallest number of heads of each sex."""

Array = NDArray[np.float64]


class LocationScale:
    r"""Distribution whose centre and spread depend on age and sex, and whose shape is that of the data.

    .. math::
        y = s(\text{age}) + b \cdot \text{sex} + \sigma r, \qquad
        \log \sigma = c_0 + c_1 \text{age} + c_2 \text{sex}

    with a natural cubic spline s. Both parts are fitted together, by the likelihood of a normal distribution. The
    shape of r is not assumed but taken from the heads: the percentile of a new head is the rank of its r among theirs,
    each computed with the centre that the other heads alone give (leave-one-out, in closed form from the leverage; the
    spread is that of all heads). Ranks of exchangeable values are uniform, so percentiles are calibrated over the
    population even if r is skewed.

    Args:
        age: ages in years, ``(n,)``.
        female: whether each head is that of a woman, ``(n,)``.
        y: values of the measure, ``(n,)``.
        knots: ages of the spline's knots in ascending order, at least two; two make a straight line.

    Attributes:
        residuals: leave-one-out r of the heads in ascending order, ``(n,)``.

    Raises:
        ValueError: there are too few heads for the parameters, or they have no spread.

    References:
        Harvey, Estimating regression models with multiplicative heteroscedasticity, Econometrica 44(3), 1976, for the
        spread. Vovk, Gammerman and Shafer, Algorithmic Learning in a Random World, 2005, for the ranks (conformal
        prediction).
    """

    def __init__(self, age: ArrayLike, female: ArrayLike, y: ArrayLike, knots: Sequence[float]) -> None:
        values = np.asarray(y, dtype=np.float64)
        self.knots = np.asarray(knots, dtype=np.float64)
        centre, spread = self._designs(age, female)
        if len(values) < 3 * (centre.shape[1] + spread.shape[1]):
            raise ValueError(
                f"{len(values)} heads are too few for {centre.shape[1] + spread.shape[1]} parameters: use three times "
                "as many, or fewer knots."
            )
        start = np.zeros(spread.shape[1])
        error = values - centre @ np.linalg.lstsq(centre, values, rcond=None)[0]
        start[0] = np.log(max(error.std(), 1e-300))
        if error.std() <= 1e-9 * max(1.0, np.abs(values).max()):
            raise ValueError("all heads lie on one curve: there is no spread to describe.")
        self._spread = minimize(_deviance, start, args=(centre, spread, values)).x
        sigma = np.exp(spread @ self._spread)
        weighted = centre / sigma[:, None]
        orthogonal, _ = np.linalg.qr(weighted)
        leverage = np.square(orthogonal).sum(1)  # of each head on its own fit
        self._centre = np.linalg.lstsq(weighted, values / sigma, rcond=None)[0]
        self.residuals = np.sort((values - centre @ self._centre) / sigma / (1 - leverage))

    def deviation(self, age: ArrayLike, female: ArrayLike, y: ArrayLike) -> Array:
        """Distance r of new heads from the centre in units of the spread, ``(m,)``."""
        centre, spread = self._designs(age, female)
        return (np.asarray(y, dtype=np.float64) - centre @ self._centre) / np.exp(spread @ self._spread)

    def percentile(self, age: ArrayLike, female: ArrayLike, y: ArrayLike) -> Array:
        """Share of heads of the same age and sex that lie below, 0 to 1 (exclusive), ``(m,)``."""
        r = self.deviation(age, female, y)
        below = (np.searchsorted(self.residuals, r, "left") + np.searchsorted(self.residuals, r, "right")) / 2
        return (below + 0.5) / (len(self.residuals) + 1)

    def quantile(self, age: ArrayLike, female: ArrayLike, share: float) -> Array:
        """Value below which a share of the heads of an age and sex lies, ``(m,)``."""
        centre, spread = self._designs(age, female)
        r = np.quantile(self.residuals, share, method="weibull")
        return centre @ self._centre + np.exp(spread @ self._spread) * r

    def _designs(self, age: ArrayLike, female: ArrayLike) -> tuple[Array, Array]:
        """Regressors of centre and spread."""
        years = np.asarray(age, dtype=np.float64)
        sex = np.where(np.asarray(female, dtype=bool), 0.5, -0.5)
        if len(self.knots) == 2:
            middle, half = self.knots.mean(), np.ptp(self.knots) / 2
            spline = np.stack([np.ones_like(years), (years - middle) / half], 1)
        else:  # the spline that is 1 at one knot and 0 at the others, for each knot
            spline = CubicSpline(self.knots, np.eye(len(self.knots)), bc_type="natural")(years)
        straight = 2 * (years - self.knots[0]) / (self.knots[-1] - self.knots[0]) - 1
        return np.column_stack([spline, sex]), np.column_stack([np.ones_like(years), straight, sex])


def _deviance(parameters: Array, centre: Array, spread: Array, y: Array) -> float:
    """Negative log-likelihood of a spread, up to a constant, with the best centre for it."""
    log_sigma = np.clip(spread @ parameters, -300, 300)
    weight = np.exp(-log_sigma)
    fitted = centre @ np.linalg.lstsq(centre * weight[:, None], y * weight, rcond=None)[0]
    return float(log_sigma.sum() + 0.5 * (((y - fitted) * weight) ** 2).sum())


def check_sexes(sexes: Sequence[str]) -> None:
    """Refuse heads, by their sexes, that are too few for a chart."""
    for sex in SEXES:
        if (count := sexes.count(sex)) < MIN_HEADS:
            raise ValueError(
                f"there are {count} heads of sex {sex} with a known age: a chart needs {MIN_HEADS} of each sex. Give a "
                "larger cohort."
            )


class NormativeChart:
    """Distributions of measures, learned from the heads of a table.

    Args:
        heads: table with a row per head: ``age`` (years), ``sex`` ("F" or "M") and the measures; values that are not
            finite do not count.
        measures: unit and scale of each measure.
        knots: number of knots of the centre's spline, at quantiles of age; 2 for a straight line.
        ages: ages whose quantiles are the knots; those of ``heads`` by default.

    Attributes:
        models: :class:`LocationScale` of each measure or, where its scale is logarithmic, of its logarithm.

    Raises:
        ValueError: there are fewer than ten heads of a sex, or a measure cannot be fitted.
    """

    def __init__(
        self, heads: pd.DataFrame, measures: Mapping[str, Measure], knots: int = 3, ages: ArrayLike | None = None
    ) -> None:
        if knots < 2:
            raise ValueError(f"knots must be 2 (a straight line) or more, got {knots}.")
        check_sexes(heads["sex"].tolist())
        self.heads = heads.reset_index(drop=True)
        self.measures = dict(measures)
        self.knots = np.quantile(heads["age"] if ages is None else np.asarray(ages), np.linspace(0, 1, knots))
        self.models = {name: self._model(name) for name in self.measures}

    def place(self, age: float, sex: str, values: Mapping[str, float]) -> pd.DataFrame:
        """Place a head on the chart.

        Args:
            age: age in years, within those of the chart's heads of that sex.
            sex: "F" or "M".
            values: values of the measures.

        Returns:
            For each measure: ``value``; ``median``, ``low`` and ``high`` (5th and 95th percentile) of its age and sex;
            ``deviation`` from the centre in units of the spread, on the scale of the model; ``percentile``, 0 to 100,
            with the 95 % Clopper-Pearson interval ``percentile_low`` to ``percentile_high`` of a rank among so many
            heads (it does not include the uncertainty of the curves themselves).

        Raises:
            ValueError: an unknown sex, or an age outside the chart: nothing is extrapolated.
        """
        self.check(age, sex)
        rows = []
        for name, measure in self.measures.items():
            model, value = self.models[name], float(values[name])
            y = self._scaled(name, np.array([value]))
            person = ([age], [sex == "F"])
            median, low, high = (self.quantile(name, [age], sex, share)[0] for share in (0.5, *BAND))
            n = len(model.residuals)
            known = bool(np.isfinite(y[0]))
            percentile = model.percentile(*person, y)[0] if known else np.nan
            interval = binomtest(round(percentile * (n + 1) - 0.5), n).proportion_ci() if known else (np.nan, np.nan)
            rows.append(
                {"measure": name, "unit": measure.unit, "value": value, "median": median, "low": low, "high": high}
                | {"deviation": model.deviation(*person, y)[0], "percentile": 100 * percentile}
                | {"percentile_low": 100 * interval[0], "percentile_high": 100 * interval[1], "heads": n}
            )
        return pd.DataFrame(rows)

    def check(self, age: float, sex: str) -> None:
        """Refuse an age or sex outside the chart; see :meth:`place`."""
        if sex not in SEXES:
            raise ValueError(f"sex must be one of {', '.join(SEXES)}, got {sex!r}: the chart has one curve for each.")
        low, high = self.age_range(sex)
        if not low <= age <= high:
            raise ValueError(
                f"age {age:g} is outside the chart: its heads of sex {sex} are {low:.1f} to {high:.1f} years old, and "
                "nothing is extrapolated. Learn a chart from a cohort of that age."
            )

    def age_range(self, sex: str) -> tuple[float, float]:
        """Youngest and oldest head of a sex, in years."""
        ages = self.heads.loc[self.heads["sex"] == sex, "age"]
        return float(ages.min()), float(ages.max())

    def percentiles(self, name: str, heads: pd.DataFrame) -> NDArray[np.float64]:
        """Percentiles, 0 to 1, of a measure of other heads (columns ``age``, ``sex`` and the measure); NaN stays."""
        y = self._scaled(name, heads[name].to_numpy(np.float64))
        percentile = self.models[name].percentile(heads["age"], heads["sex"] == "F", y)
        return np.where(np.isfinite(y), percentile, np.nan)

    def median_scaled(self, name: str, heads: pd.DataFrame) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Values of other heads and the medians for their age and sex, both on the scale of the model."""
        median = self.models[name].quantile(heads["age"], heads["sex"] == "F", 0.5)
        return self._scaled(name, heads[name].to_numpy(np.float64)), median

    def quantile(self, name: str, age: ArrayLike, sex: str, share: float) -> NDArray[np.float64]:
        """Curve of a measure over age below which a share of the heads of a sex lies, in the unit of the measure."""
        years = np.asarray(age, dtype=np.float64)
        curve = self.models[name].quantile(years, np.full(years.shape, sex == "F"), share)
        return np.exp(curve) if self.measures[name].log else curve

    def _scaled(self, name: str, values: NDArray[np.float64]) -> NDArray[np.float64]:
        if not self.measures[name].log:
            return values
        if (values <= 0).any():
            raise ValueError(f"{name} must be above 0, got {values[values <= 0][0]:g}: its chart is of its logarithm.")
        return np.log(values)

    def _model(self, name: str) -> LocationScale:
        y = self._scaled(name, self.heads[name].to_numpy(np.float64))
        known = np.isfinite(y)
        try:
            return LocationScale(self.heads["age"][known], self.heads["sex"][known] == "F", y[known], self.knots)
        except ValueError as error:
            raise ValueError(f"there is no chart of {name}: {error}") from error
