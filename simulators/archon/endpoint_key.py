"""The key of an endpoint: read from its environment variable when it is needed, and kept out of all that is shown, logged or stored."""

from __future__ import annotations

import logging
import os

from designgym.core.errors import InputError

__all__ = ["Key", "WithoutKey"]

SHORTEST_KEY = 8  # shorter ones are placeholders such as "none" or "EMPTY", and removing them would garble texts
LOGGERS = ("openai._base_client", "httpx2", "httpcore2.connection", "httpcore2.http11", "httpcore2.proxy")


class Key:
    """An API key, known by the environment variable that holds it; read when it is needed and kept nowhere.

    Args:
        variable: The variable's name; None if there is no key.
    """

    def __init__(self, variable: str | None = None) -> None:
        if variable is not None and (not isinstance(variable, str) or not variable or not variable.replace("_", "a").isalnum()):
            # not repeated: it is most often the key itself
            raise InputError("key_variable is no name of an environment variable; give the name of the one that holds the key, not the key")
        self.variable = variable

    def value(self) -> str:
        """Return the key, empty if there is none; raises `InputError` if the variable is not set or holds what cannot be a key."""
        if self.variable is None:
            return ""
        value = os.environ.get(self.variable, "").strip()
        if not value:
            raise InputError(f"the environment variable {self.variable}, which should hold the endpoint's API key, is not set; set it")
        if not value.isascii() or not value.isprintable() or " " in value:
            raise InputError(f"the environment variable {self.variable} holds characters that no API key has; set it to the key alone")
        return value

    def removed(self, text: str) -> str:
        """Return a text without the key, wherever it stands in it."""
        value = os.environ.get(self.variable, "").strip() if self.variable else ""
        return text.replace(value, "[key]") if len(value) >= SHORTEST_KEY else text


class WithoutKey(logging.Filter):
    """Takes a key out of what is logged: these packages log what a server sends, which may be what it was sent."""

    def __init__(self, key: Key) -> None:
        super().__init__()
        self.key = key

    def filter(self, record: logging.LogRecord) -> bool:
        """Let all records pass, without the key."""
        message = record.getMessage()
        if (without := self.key.removed(message)) != message:
            record.msg, record.args = without, ()
        return True

    @classmethod
    def add(cls, key: Key) -> None:
        """Put such a filter on what the client's packages log, once for a variable."""
        for logger in map(logging.getLogger, LOGGERS):
            if not any(isinstance(known, cls) and known.key.variable == key.variable for known in logger.filters):
                logger.addFilter(cls(key))
