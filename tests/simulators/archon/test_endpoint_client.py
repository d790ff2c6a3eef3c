"""Waits that endpoints ask for, in all forms they are written in."""

import time
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from designgym.simulators.archon.endpoint_client import retry_after_s


@given(st.integers(0, 10**6))
def test_a_date_and_seconds_say_the_same(seconds: int) -> None:
    now = float(int(time.time()))
    assert retry_after_s({"retry-after": str(seconds)}, now) == seconds
    assert retry_after_s({"retry-after-ms": str(seconds * 1000)}, now) == pytest.approx(seconds)
    assert retry_after_s({"retry-after": formatdate(now + seconds, usegmt=True)}, now) == seconds
    assert retry_after_s({"retry-after": formatdate(now - seconds, usegmt=True)}, now) == 0


@given(st.text(st.characters(codec="latin-1")))
def test_whatever_stands_there_is_a_wait_or_nothing(text: str) -> None:
    found = retry_after_s({"retry-after": text, "retry-after-ms": text}, time.time())
    assert found is None or found >= 0


@pytest.mark.parametrize("text", ["", "soon", "-5", "nan", "inf", "Mon, 99 Abc 2020"])
def test_what_is_no_wait_is_none(text: str) -> None:
    assert retry_after_s({"retry-after": text}, 0.0) is None
    assert retry_after_s({}, 0.0) is None
    assert retry_after_s({"retry-after-ms": text, "retry-after": "3"}, 0.0) == 3
