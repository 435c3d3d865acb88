"""Exceptions of HTTP libraries without secrets: not in messages, attributes or frames."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from types import MemberDescriptorType
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# A value with more containers around it is dropped, and with it one that contains itself.
_MAX_DEPTH = 4


class Cleaner:
    """Removal of secrets from an exception and from all those behind it.

    Args:
        redact: Return a text without secrets, which may have other spaces.
        but: An exception that stays unchanged.
    """

    def __init__(self, redact: Callable[[str], str], *, but: BaseException | None) -> None:
        self._redact = redact
        # With the originals, so that no other object takes the identity of one.
        self._cleaned: dict[int, tuple[BaseException, BaseException]] = {}
        if but is not None:
            self._cleaned[id(but)] = but, but
        self._waiting: list[BaseException] = []

    def clean(self, error: BaseException) -> BaseException:
        """Clean an exception in place.

        Returns:
            The exception, or another one if it can't be changed.
        """
        self._waiting.append(error)
        while self._waiting:
            self._clean_one(self._waiting.pop())
        for original, _ in self._cleaned.values():
            cause, context = original.__cause__, original.__context__
            if cause is not None and (cleaned := self._known(cause)) is not cause:
                original.__cause__ = cleaned
            if context is not None and (cleaned := self._known(context)) is not context:
                original.__context__ = cleaned
        return self._known(error)

    def _known(self, error: BaseException) -> BaseException:
        return self._cleaned.get(id(error), (error, error))[1]

    def _clean_one(self, error: BaseException) -> BaseException:
        identity = id(error)
        if identity in self._cleaned:
            return self._known(error)
        self._cleaned[identity] = error, error
        # Headers and body are among the locals of its frames.
        error.__traceback__ = None
        self._waiting += filter(None, (error.__cause__, error.__context__))
        cleaned: BaseException = error
        if isinstance(error, BaseExceptionGroup):
            cleaned = self._clean_group(cast("BaseExceptionGroup[BaseException]", error))
        if isinstance(error, Exception):  # by its words a cancellation is told from another
            is_clean = self._clean_attributes(error)
            if cleaned is error:
                cleaned = self._replace_if_needed(error, is_clean=is_clean)
        self._cleaned[identity] = error, cleaned
        return cleaned

    def _clean_group(self, group: BaseExceptionGroup[BaseException]) -> BaseException:
        members = [self._clean_one(member) for member in group.exceptions]
        message = self._clean_text(group.message)
        if message == group.message and all(map(_is, members, group.exceptions)):
            return group
        return BaseExceptionGroup(message, members)

    def _clean_attributes(self, error: Exception) -> bool:
        """Clean what an exception has, and return whether its class allows that."""
        try:
            args = tuple(self._clean_value(value) for value in error.args)
            error.args = args
            is_clean = error.args == args
        except Exception:  # noqa: BLE001 - a class may compute them, and may refuse others
            is_clean = False
        attributes = vars(error)
        attributes.update({n: self._clean_value(value) for n, value in attributes.items()})
        for name in _slots(type(error)):
            with suppress(AttributeError, TypeError):  # empty, or read-only
                value = getattr(error, name)
                setattr(error, name, self._clean_value(value))
        return is_clean

    def _clean_value(self, value: object, depth: int = 0) -> Any:  # noqa: ANN401 - as an attribute is
        """Return a value without secrets; None if it may have some that can't be seen."""
        if value is None or isinstance(value, int | float | type):
            return value
        if isinstance(value, str):
            return self._clean_text(value)
        if isinstance(value, bytes | bytearray):
            return self._clean_text(value.decode("latin-1")).encode("latin-1")
        if isinstance(value, BaseException):
            return self._clean_one(value)
        if depth == _MAX_DEPTH:
            return None
        if isinstance(value, Mapping):
            items = cast("Mapping[object, object]", value).items()
            return {
                self._clean_value(key, depth + 1): self._clean_value(each, depth + 1)
                for key, each in items
            }
        if isinstance(value, list):
            return [self._clean_value(each, depth + 1) for each in cast("list[object]", value)]
        if isinstance(value, tuple):
            values = cast("tuple[object, ...]", value)
            make: Any = getattr(values, "_make", tuple)  # a named tuple stays one
            return make([self._clean_value(each, depth + 1) for each in values])
        return None

    def _clean_text(self, text: str) -> str:
        redacted = self._redact(text)
        return text if redacted.split() == text.split() else redacted

    def _replace_if_needed(self, error: Exception, *, is_clean: bool) -> Exception:
        """Return an exception, or one with its redacted text if it may still show a secret."""
        name = type(error).__name__
        try:
            text = str(error)
        except Exception:  # noqa: BLE001 - the class may count on an attribute that was dropped
            return Exception(name)
        redacted = self._clean_text(text)
        return error if is_clean and redacted == text else Exception(f"{name}: {redacted}")


def _is(one: object, other: object) -> bool:
    return one is other


def _slots(cls: type) -> Iterator[str]:
    """Return the attributes outside of the dictionary, such as the file name of an OSError."""
    for each in cls.__mro__:
        for name, member in vars(each).items():
            if isinstance(member, MemberDescriptorType) and name != "__suppress_context__":
                yield name
