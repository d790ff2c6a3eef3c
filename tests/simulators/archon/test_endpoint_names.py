"""What endpoints are known by: equal for the same place, however it is written, and without what is secret."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from designgym.core.errors import InputError
from designgym.simulators.archon.endpoint_names import identity_of, normalised_url


@pytest.mark.parametrize(
    ("url", "known_by"),
    [
        ("http://Example.COM:80/v1/", "http://example.com/v1"), ("HTTPS://example.com:443/v1", "https://example.com/v1"),
        ("http://localhost:8000/v1?key=secret#part", "http://localhost:8000/v1"), ("http://[::1]:8000/v1", "http://[::1]:8000/v1"),
        ("https://example.com:80/v1", "https://example.com:80/v1"), ("http://host", "http://host"), (" http://host/V1// ", "http://host/V1"),
        ("https://host/ai/@cf/v1", "https://host/ai/@cf/v1"),
    ],
)  # fmt: skip
def test_one_place_has_one_form(url: str, known_by: str) -> None:
    assert normalised_url(url) == known_by == normalised_url(known_by)


@given(st.from_regex(r"https?://[a-zA-Z0-9.-]{1,20}(:[0-9]{1,4})?(/[a-zA-Z0-9_.-]{0,5}){0,4}/{0,2}", fullmatch=True))
def test_the_form_of_a_form_is_itself(url: str) -> None:
    assert normalised_url(normalised_url(url)) == normalised_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost:8000/v1",
        "ftp://host/v1",
        "http://",
        "http:///v1",
        "http://ho st/v1",
        "http://host:port/v1",
        "http://[::1/v1",
        None,
        5,
    ],
)
def test_what_is_no_url_is_an_error(url: Any) -> None:
    with pytest.raises(InputError, match=r"the endpoint's URL is .*expected"):
        normalised_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "http://me:secret@host/v1",
        "https://secret@host",
        "http:/me:secret@host",
        "me:secret@host",
        "http://me:secret@ho st",
        "http://x:secret@host:port/",
    ],
)
def test_a_password_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(InputError, match="holds a user or password; leave it out") as caught:
        normalised_url(url)
    assert "secret" not in str(caught.value)


def test_models_and_endpoints_are_told_apart_unless_an_identity_is_given() -> None:
    names = {identity_of(url, model) for url in ("http://a/v1", "http://b/v1") for model in ("m", "n")}
    assert len(names) == 4 and identity_of("http://a/v1/", "m") in names
    assert (
        identity_of("http://a/v1", "m", "weights")
        == identity_of("http://b/v1", "m", "weights")
        != identity_of("http://b/v1", "n", "weights")
    )
