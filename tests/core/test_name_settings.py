"""Settings after the colon of a workload's name."""

import pytest

from designgym.core.errors import InputError
from designgym.core.name_settings import Setting, read_settings

KNOWN = {
    "requests": Setting("n", "100 (how many)", int, 1),
    "rate": Setting("rate_rps", "4 (per second)", positive=True),
    "peak": Setting("peak", "2", least=1.0),
}


def test_settings_are_read_by_the_names_of_the_code() -> None:
    assert read_settings("w:...", "requests=7,rate=0.5", KNOWN) == {"n": 7, "rate_rps": 0.5}
    assert read_settings("w", "", KNOWN) == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("speed=3", r"cannot use 'speed=3', expected settings such as requests=100 \(how many\), rate=4"),
        ("requests", "cannot use 'requests'"),
        ("requests=2.5", "requests is '2.5', expected a whole number"),
        ("requests=0", "requests is 0, expected 1 or more"),
        ("rate=0", "rate is 0, expected more than 0"),
        ("rate=inf", "rate is inf, expected more than 0"),
        ("peak=0.5", "peak is 0.5, expected 1 or more"),
        ("rate=fast", "rate is 'fast', expected a number"),
    ],
)
def test_what_cannot_be_read_is_named(text: str, message: str) -> None:
    with pytest.raises(InputError, match=f"workload 'w': {message}"):
        read_settings("w", text, KNOWN)
