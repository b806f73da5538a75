"""The regressor of the Bayesian search predicts what scikit-learn's does."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, Matern

from imgclf.search.surrogate import lean_regressor


def regressors(**settings):
    plain = GaussianProcessRegressor(random_state=0, **settings)
    return plain, lean_regressor(GaussianProcessRegressor(random_state=0, **settings))


@given(
    known=st.integers(1, 12),
    asked=st.integers(1, 4),
    width=st.integers(1, 6),
    normalize=st.booleans(),
    kernel=st.sampled_from([Matern(nu=2.5), RBF(0.4)]),
    seed=st.integers(0, 1000),
)
def test_predicts_as_scikit_learn(known, asked, width, normalize, kernel, seed):
    rng = np.random.default_rng(seed)
    points, values = rng.random((known, width)), 5 + 3 * rng.random(known)
    others = np.concatenate([rng.random((asked, width)), points[:1]])
    plain, lean = regressors(kernel=kernel, optimizer=None, normalize_y=normalize, alpha=1e-4)
    for regressor in (plain, lean):
        regressor.fit(points, values)
    for wanted, found in zip(
        plain.predict(others, return_std=True), lean.predict(others, return_std=True), strict=True
    ):
        np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-7)


def test_predicts_as_scikit_learn_before_it_is_fitted():
    plain, lean = regressors()
    point = np.full((1, 3), 0.5)
    for wanted, found in zip(
        plain.predict(point, return_std=True), lean.predict(point, return_std=True), strict=True
    ):
        np.testing.assert_array_equal(found, wanted)


def test_what_else_can_be_asked_is_answered_by_scikit_learn(rng):
    points, values = rng.random((5, 2)), rng.random(5)
    plain, lean = (regressor.fit(points, values) for regressor in regressors(optimizer=None))
    np.testing.assert_allclose(lean.predict(points), plain.predict(points))
    for wanted, found in zip(
        plain.predict(points, return_cov=True), lean.predict(points, return_cov=True), strict=True
    ):
        np.testing.assert_allclose(found, wanted)


def test_settings_are_taken_over():
    plain, lean = regressors(kernel=Matern(nu=1.5), alpha=0.25, n_restarts_optimizer=3)
    assert lean.get_params() == plain.get_params()
