"""Formulas, points, metrics and the functional key."""

import os
import subprocess
import sys
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from hypothesis import given, settings

from designgym.core.design import Design
from designgym.core.errors import InputError, UnknownNameError
from designgym.core.measuring import agree
from designgym.core.metrics import Metrics
from designgym.core.workload import Workload
from designgym.simulators.symbolic import Expression, FormulaWorkloads, Samples, SymbolicRegression
from designgym.simulators.symbolic.formulas import BY_ID, FORMULAS
from designgym.simulators.symbolic.simulator import WORST
from designgym.simulators.symbolic.space import NODES
from tests.simulators.symbolic.conftest import designs

SIMULATOR = SymbolicRegression()
LIBRARY = FormulaWorkloads()
SPRING = LIBRARY.get("feynman-I.14.4")
PI = np.pi

# the formulas once more, as the paper's database has them, in numpy and by hand
PUBLISHED: dict[str, Callable[..., np.ndarray]] = {
    "I.12.1": lambda mu, Nn: mu * Nn,
    "I.25.13": lambda q, C: q / C,
    "I.29.4": lambda omega, c: omega / c,
    "I.14.4": lambda k, x: 0.5 * k * x**2,
    "I.34.27": lambda omega, h: h / (2 * PI) * omega,
    "I.39.22": lambda n, T, V, kb: n * kb * T / V,
    "II.38.14": lambda Y, sigma: Y / (2 * (1 + sigma)),
    "I.12.4": lambda q1, epsilon, r: q1 * r / (4 * PI * epsilon * r**3),
    "I.27.6": lambda d1, d2, n: 1 / (1 / d1 + n / d2),
    "I.6.20a": lambda theta: np.exp(-(theta**2) / 2) / np.sqrt(2 * PI),
    "I.47.23": lambda gamma, pr, rho: np.sqrt(gamma * pr / rho),
    "I.10.7": lambda m_0, v, c: m_0 / np.sqrt(1 - v**2 / c**2),
    "I.8.14": lambda x1, x2, y1, y2: np.sqrt((x2 - x1) ** 2 + (y2 - y1) ** 2),
    "I.13.4": lambda m, v, u, w: 0.5 * m * (v**2 + u**2 + w**2),
    "I.18.4": lambda m1, m2, r1, r2: (m1 * r1 + m2 * r2) / (m1 + m2),
    "I.16.6": lambda c, v, u: (u + v) / (1 + u * v / c**2),
    "I.12.11": lambda q, Ef, B, v, theta: q * (Ef + B * v * np.sin(theta)),
    "III.17.37": lambda beta, alpha, theta: beta * (1 + alpha * np.cos(theta)),
    "I.50.26": lambda x1, omega, t, alpha: x1 * (np.cos(omega * t) + alpha * np.cos(omega * t) ** 2),
    "I.37.4": lambda I1, I2, delta: I1 + I2 + 2 * np.sqrt(I1 * I2) * np.cos(delta),
    "II.11.28": lambda n, alpha: 1 + n * alpha / (1 - (n * alpha / 3)),
    "III.4.32": lambda h, omega, kb, T: 1 / (np.exp((h / (2 * PI)) * omega / (kb * T)) - 1),
    "II.35.21": lambda n_rho, mom, B, kb, T: n_rho * mom * np.tanh(mom * B / (kb * T)),
    "I.29.16": lambda x1, x2, t1, t2: np.sqrt(x1**2 + x2**2 - 2 * x1 * x2 * np.cos(t1 - t2)),
    "I.40.1": lambda n_0, m, x, T, g, kb: n_0 * np.exp(-m * g * x / (kb * T)),
}


@pytest.fixture(autouse=True)
def no_warnings() -> Iterator[None]:
    """Overflow and NaN are results, and not to be warned of."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def design(text: str, workload: Workload = SPRING) -> Design:
    return Expression.parse(text, workload.data.formula.variables).design


def measure(text: str, workload: Workload = SPRING, fidelity: float = 1.0) -> Metrics:
    return SIMULATOR.evaluate([design(text, workload)], workload, fidelity=fidelity)[0]


# ---- formulas and points -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("id", sorted(BY_ID))
def test_points_are_of_the_published_formula_and_it_is_found_in_its_own_space(id: str) -> None:
    workload = LIBRARY.get(f"feynman-{id}")
    points = workload.data.arrays()
    for columns, values in ((points.train, points.train_y), (points.test, points.test_y)):
        assert np.allclose(PUBLISHED[id](*columns), values, rtol=1e-12) and len(values) == 256
        for column, (low, high) in zip(columns, workload.data.formula.ranges, strict=True):
            assert low <= column.min() < low + 0.1 * (high - low) and high - 0.1 * (high - low) < column.max() <= high
    (metrics,) = SIMULATOR.evaluate([workload.data.truth().design], workload)
    assert metrics["r2"] > 0.999999 and metrics["accuracy"] > 0.999999
    assert not np.array_equal(points.train[0], points.test[0])


def test_every_formula_has_an_id_of_its_own() -> None:
    assert len(BY_ID) == len(FORMULAS) == len(LIBRARY.names()) == 25 and BY_ID.keys() == PUBLISHED.keys()


def test_names_set_noise_and_seed() -> None:
    plain, noisy, other = (LIBRARY.get(f"feynman-I.14.4{end}") for end in ("", "-n0.1", "-n0.1-s7"))
    assert noisy.data == Samples(BY_ID["I.14.4"], noise=0.1) and other.data.seed == 7
    assert len({plain.digest, noisy.digest, other.digest}) == 3
    a, b = plain.data.arrays(), noisy.data.arrays()
    assert np.array_equal(a.train, b.train) and np.array_equal(a.test_y, b.test_y)  # judged without noise
    assert np.std(b.train_y - a.train_y) == pytest.approx(0.1 * np.std(a.train_y), rel=0.15)
    assert 0.99 < measure("k * x**2 / 2", noisy)["accuracy"] < 1 - 1e-6
    for name in ("feynman-I.99.1", "I.14.4", "feynman-I.14.4-n", "feynman-I.14.4-n0.1-s"):
        with pytest.raises(UnknownNameError, match=r"-n0\.1-s7"):
            LIBRARY.get(name)


@pytest.mark.parametrize("options", [{"noise": -0.1}, {"points": 3}, {"starts": 0}])
def test_samples_out_of_range_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(InputError, match=next(iter(options))):
        Samples(BY_ID["I.14.4"], **options)  # type: ignore[arg-type]


def test_fewer_points_are_the_first_ones() -> None:
    many, few = SPRING.data.arrays(), SPRING.data.head(400).arrays()
    assert len(few.train_y) == 40 and np.array_equal(many.train[1][:40], few.train[1])


# ---- metrics -----------------------------------------------------------------------------------------------------------------


def test_metrics_are_what_they_are_documented_to_be() -> None:
    test, y = SPRING.data.arrays().test, SPRING.data.arrays().test_y
    metrics = measure("k * x")
    rmse = np.sqrt(np.mean((test[0] * test[1] - y) ** 2))
    assert metrics["rmse"] == pytest.approx(rmse) and metrics["complexity"] == 1
    assert metrics["r2"] == pytest.approx(1 - rmse**2 / np.var(y))
    assert metrics["accuracy"] == pytest.approx(1 / (1 + rmse / np.std(y)))
    exact = measure("k * x**2 / 2")
    assert dict(exact.values) == {"accuracy": 1.0, "r2": 1.0, "rmse": 0.0, "complexity": 3.0}
    assert measure("x * 1")["complexity"] == 0 and measure("2 * (x + k) * (k + x)")["complexity"] == 3
    assert measure("2.0 * 1")["accuracy"] == pytest.approx(0.5, abs=0.01)  # a constant is the mean


@pytest.mark.parametrize(
    "text", ["log(-k)", "sqrt(-2 - x**2)", "exp(exp(exp(x**4)))", "k / (x - x)", "exp(exp(x)**4) + 3 * x", "exp(x**4 * k)"]
)
def test_what_is_not_finite_or_far_off_is_the_worst_result(text: str) -> None:
    metrics = measure(text)
    assert metrics.ok and metrics["accuracy"] == pytest.approx(1 / (1 + WORST)) and metrics["r2"] == 1 - WORST**2


def test_fidelity_is_the_share_of_points_and_starts() -> None:
    noisy = LIBRARY.get("feynman-I.14.4-n0.5")
    errors = [measure("2 * k * x**2", noisy, fidelity)["rmse"] for fidelity in (0.05, 1.0)]
    assert errors[0] > errors[1] > 0
    for fidelity in (0.0, 1.5):
        with pytest.raises(InputError, match="fidelity"):
            measure("k", fidelity=fidelity)
    with pytest.raises(InputError, match="holds list, expected one made by table"):
        SIMULATOR.evaluate([design("k")], Workload("trace", [1, 2]))


def test_results_do_not_depend_on_how_an_expression_is_written() -> None:
    one, other = design("2 * (k * x) + 3 * cos(5 * x)"), design("cos(-(x * 7)) * 2 + (x * k) * 4")
    a, b = SIMULATOR.evaluate([one, other], SPRING)
    assert a == b == SIMULATOR.evaluate([other], SPRING)[0] and 0.5 < a["accuracy"] < 1


@settings(max_examples=40, deadline=None)
@given(designs(inputs=2))
def test_canonical_forms_have_equal_metrics_and_keys(one: Design) -> None:
    both = [one, SIMULATOR.space.canonical(one, SPRING.traits)]
    a, b = SIMULATOR.evaluate([both[0]], SPRING, fidelity=0.1) + SIMULATOR.evaluate([both[1]], SPRING, fidelity=0.1)
    assert a == b and a.checked(SIMULATOR.metrics).ok
    assert len(set(SIMULATOR.probe(both, SPRING))) == 1


def test_another_process_gets_the_same_numbers() -> None:
    drawn = SIMULATOR.space.sample(np.random.default_rng(3), 20)
    here = [[sorted(m.values.items()) for m in SIMULATOR.evaluate(drawn, SPRING)], [key.hex() for key in SIMULATOR.probe(drawn, SPRING)]]
    script = (
        "import numpy as np; from designgym.simulators.symbolic import *; s = SymbolicRegression();"
        "w = FormulaWorkloads().get('feynman-I.14.4'); d = s.space.sample(np.random.default_rng(3), 20);"
        "print([[sorted(m.values.items()) for m in s.evaluate(d, w)], [k.hex() for k in s.probe(d, w)]])"
    )
    environment = os.environ | {"PYTHONHASHSEED": "77"}
    there = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment, check=True)
    assert there.stdout.strip() == repr(here) and not there.stderr


# ---- the functional key ------------------------------------------------------------------------------------------------------


def probed(*texts: str) -> list[bytes]:
    return SIMULATOR.probe([design(text) for text in texts], SPRING)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("(k + x) + 2", "k + (x + 2)"),
        ("k * (x * 3)", "3 * k * x"),
        ("exp(k) * exp(x) + 0 * x", "exp(x) * exp(k) + x * 0"),
        ("log(exp(k * x))", "k * 1 * log(exp(x))"),
        ("(k - x) - x", "k - (x + x)"),
        ("sqrt(x**2) + k", "1 / (1 / x) + k"),
    ],
)
def test_the_probe_sees_through_what_is_written_differently(one: str, other: str) -> None:
    assert design(one) != design(other)
    a, b = probed(one, other)
    assert a == b


def test_the_probe_tells_apart_what_differs() -> None:
    texts = [
        "k", "x", "k * x", "k + x", "2 * k * x", "2 + k * x", "2 * k + 3 * x", "2 * k + 2 * x", "sqrt(x**2)", "k / x", "x / k",
        "k - x", "x - k", "tanh(exp(x))", "tanh(exp(k))", "k + tanh(x**2 * x)", "k + tanh(x**4)",
        "log(-k)", "log(-x)", "sqrt(-k)", "exp(exp(exp(exp(x))))", "exp(exp(exp(exp(k))))", "2 * log(-k)",
    ]  # fmt: skip
    assert len(set(probed(*texts))) == len(texts)


def test_complexity_counts_by_value() -> None:
    """It is a metric, and equal functions of different length have different ones."""
    long, short = probed("k * x + k * 3 * x - k * 3 * x", "k * x * 1")
    assert long != short


def test_without_complexity_length_does_not_matter() -> None:
    bare = SymbolicRegression(complexity=False)
    written = [design(text) for text in ("k * x + k * 3 * x - k * 3 * x", "k * x * 1", "x / (1 / k)", "k * x + 1")]
    results, keys = bare.evaluate(written, SPRING), bare.probe(written, SPRING)
    assert len(set(keys)) == 2 and keys[0] == keys[1] == keys[2]
    assert agree(results[0], results[1], 1e-9) and agree(results[2], results[1], 1e-9) and not agree(results[3], results[1], 1e-3)
    assert all(result.checked(bare.metrics).ok and "complexity" not in result.values for result in results)
    assert bare.name != SIMULATOR.name  # its results are not those of the other


def test_fits_of_one_function_agree_to_more_digits_than_the_sum_of_squares_has() -> None:
    """Found by measuring merged expressions: constants were good to half of the digits, and so was the error on other points."""
    workload = LIBRARY.get("feynman-I.12.4")
    pairs: list[tuple[list[str], list[str]]] = [
        (["inverse c0", "square back1"], ["square c0", "inverse back1"]),
        (["mul x0 c0", "tanh c1", "mul back1 back2"], ["tanh c0", "mul c1 back1", "mul x0 back1"]),
        (["mul x2 c0", "exp back1", "mul x0 back1", "mul back1 c1"], ["mul x2 c0", "exp back1", "mul c1 back1", "mul x0 back1"]),
    ]
    for pair in pairs:
        written = [SIMULATOR.space.validate({NODES: [node(line) for line in lines]}) for lines in pair]
        first, other = SIMULATOR.evaluate(written, workload)
        assert agree(first, other, 1e-11), pair
        assert len(set(SIMULATOR.probe(written, workload))) == 1


def node(line: str) -> dict[str, str]:
    """Return a node from its operation and operands in a line."""
    return dict(zip(("op", "a", "b"), line.split(), strict=False))


def test_what_drowned_beside_saturation_is_told_apart() -> None:
    """Found by measuring merged expressions: both are 1 nearly everywhere, but not where the first input is least."""
    workload = LIBRARY.get("feynman-I.18.4")
    one, other = design("tanh(exp(m1**4))", workload), design("tanh(exp(r2 / log(r2)))", workload)
    assert len(set(SIMULATOR.probe([one, other], workload))) == 2


@pytest.mark.parametrize("name", ["feynman-I.14.4", "feynman-I.18.4"])
def test_expressions_with_equal_keys_have_equal_metrics(name: str) -> None:
    workload = LIBRARY.get(name)
    drawn = SIMULATOR.space.sample(np.random.default_rng(11), 700)
    different = list({SIMULATOR.space.canonical(each, workload.traits) for each in drawn})
    groups: dict[bytes, list[Design]] = defaultdict(list)
    for key, each in zip(SIMULATOR.probe(different, workload), different, strict=True):
        groups[key].append(each)
    merged = [group for group in groups.values() if len(group) > 1]
    assert sum(len(group) - 1 for group in merged) >= 10
    for group in merged:
        first, *others = SIMULATOR.evaluate(group, workload)
        for other, written in zip(others, group[1:], strict=True):
            assert agree(first, other, 1e-9), f"{Expression(group[0])} | {Expression(written)}"
    assert all(set(each) == {NODES} for each in different)
