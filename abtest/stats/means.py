"""Means of two arms: Welch's t, which does not ask the arms to vary alike."""

from abtest.stats.contrast import Arm, contrast, point_lift
from abtest.stats.inference import Inference, no_test
from abtest.stats.moments import Moments


def mean_arm(moments: Moments) -> Arm:
    """The mean with its squared standard error and n - 1 degrees of freedom. Raises ValueError below two units.

    >>> mean_arm(Moments(n=4, mean=1.0, m2=12.0))
    Arm(value=1.0, variance=1.0, df=3)
    """
    return Arm(moments.mean, moments.variance_of_mean, moments.n - 1)


def welch(treatment: Moments, control: Moments, *, alpha: float = 0.05, critical: float | None = None) -> Inference:
    """Welch's t-test with Satterthwaite degrees of freedom (Welch 1947, Biometrika 34, eq. 28), and Fieller's lift.

    t = (m_t - m_c) / sqrt(s_t^2/n_t + s_c^2/n_c). The difference is in the metric's unit, the lift a fraction; both
    intervals use the same critical value. `critical` replaces the t quantile (always-valid bands); the p-value is then
    None. Statuses: `no_units`, `one_unit` (per arm), `zero_variance` (both arms constant).

    >>> from abtest.stats.moments import moments_of
    >>> result = welch(moments_of([4, 6, 8, 7, 5]), moments_of([3, 5, 6, 4, 2]))
    >>> result.status, result.absolute.estimate, round(result.df, 6), round(result.p_value, 6)
    ('ok', 2.0, 8.0, 0.080516)
    """
    if treatment.n == 0 or control.n == 0:
        return no_test("no_units", "welch")
    if treatment.n == 1 or control.n == 1:
        lift = point_lift(treatment.mean, control.mean)
        return no_test("one_unit", "welch", treatment.mean - control.mean, lift)
    return contrast(mean_arm(treatment), mean_arm(control), method="welch", alpha=alpha, critical=critical)
