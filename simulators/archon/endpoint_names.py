"""What an endpoint is known by: its URL in one form, without what is secret or changes nothing."""

from __future__ import annotations

from urllib.parse import urlsplit, urlunsplit

from designgym.core.errors import InputError, shorten

__all__ = ["identity_of", "normalised_url"]

_PORTS = {"http": 80, "https": 443}


def normalised_url(url: str) -> str:
    """Return an endpoint's URL in one form: host in lower case, no default port, no slash at the end, no query, no fragment.

    Raises:
        InputError: If it is no URL of http or https, or holds a user or password; these are not repeated.
    """
    if not isinstance(url, str):
        raise InputError(f"the endpoint's URL is {shorten(url)}, expected a text such as 'http://localhost:8000/v1'")
    try:
        parts = urlsplit(url.strip())
        host, port = parts.hostname or "", parts.port
    except ValueError:
        parts, host, port = urlsplit(""), "", None
    usable = parts.scheme.lower() in _PORTS and host and not any(character.isspace() for character in url.strip())
    if "@" in (parts.netloc if usable else url):
        raise InputError(
            "the endpoint's URL holds a user or password; leave it out, and name the environment variable with the key instead"
        )
    if not usable:
        shown = shorten(url.split("?")[0].split("#")[0])  # secrets are given in queries too
        raise InputError(f"the endpoint's URL is {shown}, expected http:// or https:// with a host, such as 'http://localhost:8000/v1'")
    host = f"[{host}]" if ":" in host else host
    place = host if port is None or port == _PORTS[parts.scheme.lower()] else f"{host}:{port}"
    return urlunsplit((parts.scheme.lower(), place, parts.path.rstrip("/"), "", ""))


def identity_of(url: str, model: str, identity: str = "") -> str:
    """Return what tells an endpoint's model from others of the same name: the given identity, else the normalised URL, and the model."""
    return f"{identity or normalised_url(url)} {model}"
