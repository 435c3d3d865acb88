"""Which URLs name a Redis server."""

from __future__ import annotations

import pytest

from plugchat_async.redis._url import check_url


@pytest.mark.parametrize(
    "url",
    [
        "redis://localhost",
        "redis://localhost:6379/0",
        "redis://user:secret@cache.example:6380/1",
        "unix:///run/redis.sock",
        "unix:///run/redis.sock?db=2",
        "unix:///run/my redis.sock",
        "redis://:a secret%23@localhost",
        "redis://[::1]:6379",
        "redis://localhost/?db=3&max_connections=20",
    ],
)
def test_the_url_of_a_redis_is_taken(url: str) -> None:
    """Unchanged."""
    assert check_url(url) == url


@pytest.mark.parametrize(
    ("url", "query"),
    [
        ("rediss://cache.example", "ssl_cert_reqs=required&ssl_check_hostname=true"),
        (
            "rediss://cache.example/0?ssl_ca_certs=ca.pem",
            "ssl_ca_certs=ca.pem&ssl_cert_reqs=required&ssl_check_hostname=true",
        ),
        (
            "rediss://cache.example?ssl_check_hostname=false",
            "ssl_check_hostname=false&ssl_cert_reqs=required",
        ),
        ("rediss://cache.example?ssl_cert_reqs=none", "ssl_cert_reqs=none"),
    ],
)
def test_certificates_are_checked_unless_the_url_says_otherwise(url: str, query: str) -> None:
    """With the host's name, which coredis leaves out by default."""
    assert check_url(url).partition("?")[2] == query


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost:6379",
        "http://secret@localhost:6379",
        "redis://",
        "redis://:secret@",
        "redis://secret@localhost:port",
        "redis://secret@[::1",
        "unix://",
        "redis://localhost/secret",
        "redis://localhost/-1",
        "redis://localhost/0/1",
        "redis://secret@local host",
        "redis://secret@local%20host",
        "redis://secret@local\nhost",
        "redis://:secret@ /0",
    ],
)
def test_anything_else_is_refused_without_being_repeated(url: str) -> None:
    """It may hold a password."""
    with pytest.raises(ValueError, match="redis must be redis://HOST:PORT/DATABASE") as refused:
        check_url(url)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("redis://h#secret", "no fragment: in a password or a path, write # as %23"),
        ("redis://:secret#1@h/0", "no fragment"),
        ("unix:///secret#", "no fragment"),
        ("redis://h/0?db=3", "one database: at the end of the path, or as the option db"),
        ("redis://h?db=1&db=2", "one database"),
        *((f"redis://h?max_connections={n}", "must be at least 2, not") for n in (-1, 0, 1)),
        ("unix:///secret?db=1&db=2", "one database"),
    ],
)
def test_a_part_that_can_not_be_meant_is_refused(url: str, message: str) -> None:
    """With what to write instead."""
    with pytest.raises(ValueError, match=message) as refused:
        check_url(url)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    "url",
    [
        *(
            f"redis://h?{query}"
            for query in ("secret=1", "secret", "db=secret", "db=-1", "timeout=")
        ),
        "redis://h?ssl_cert_reqs=none",
        "rediss://h?ssl_cert_reqs=secret",
    ],
)
def test_an_option_that_means_nothing_is_refused(url: str) -> None:
    """Otherwise it would be ignored, and another database used."""
    with pytest.raises(ValueError, match=r"redis must have no options but .* db, ") as refused:
        check_url(url)
    assert "secret" not in str(refused.value)
