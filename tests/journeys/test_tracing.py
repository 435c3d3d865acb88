"""OpenTelemetry's instrumentation of httpx sees each call, and no secret."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest
from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from plugchat_async import AsyncPlugChat
from plugchat_async.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Generator

pytestmark = pytest.mark.anyio

TOKEN, CLIENT_TOKEN = "the-token-of-a-tenant", "the-security-token-of-an-account"


@pytest.fixture
def spans() -> Generator[InMemorySpanExporter]:
    """Instrument httpx as an app does at its start, and keep what is recorded."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    instrumentor = HTTPXClientInstrumentor()
    instrumentor.instrument(tracer_provider=provider)
    yield exporter
    instrumentor.uninstrument()


async def ask_twice(sandbox: Sandbox, http_client: httpx.AsyncClient | None = None) -> str:
    """Ask for a code and for the status, and tell where."""
    async with (
        sandbox.serve() as base_url,
        AsyncPlugChat(
            TOKEN,
            base_url=base_url,
            headers={"Client-Token": CLIENT_TOKEN},
            http_client=http_client,
        ) as client,
    ):
        await client.qr_code()
        await client.status()
    return base_url


def told(spans: InMemorySpanExporter) -> list[tuple[object, object]]:
    """Give the address and the status that each span tells."""
    attributes = [span.attributes or {} for span in spans.get_finished_spans()]
    return [(its["http.url"], its["http.status_code"]) for its in attributes]


def everything(spans: InMemorySpanExporter) -> str:
    """Write the spans out as an exporter would."""
    return "".join(span.to_json() for span in spans.get_finished_spans())


async def test_each_attempt_over_our_own_pool_is_a_span(spans: InMemorySpanExporter) -> None:
    """A failed one, too."""
    sandbox = Sandbox()
    sandbox.answer_next("server_error", endpoint="/status")
    base_url = await ask_twice(sandbox)
    assert told(spans) == [
        (f"{base_url}/qr-code", 200),
        (f"{base_url}/status", 500),
        (f"{base_url}/status", 200),
    ]


async def test_each_call_over_a_user_supplied_client_is_a_span(
    spans: InMemorySpanExporter,
) -> None:
    """As with our own pool."""
    async with httpx.AsyncClient() as http_client:
        base_url = await ask_twice(Sandbox(), http_client)
    assert told(spans) == [(f"{base_url}/qr-code", 200), (f"{base_url}/status", 200)]


async def test_no_secret_is_in_a_span(spans: InMemorySpanExporter) -> None:
    """The token and the extra headers stay out of all that is exported."""
    await ask_twice(Sandbox())
    assert "http.url" in everything(spans)
    assert TOKEN not in everything(spans)
    assert CLIENT_TOKEN not in everything(spans)


async def test_captured_headers_are_sanitized_where_they_are_named(
    monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    """Users who capture all request headers name those that are secret."""
    monkeypatch.setenv("OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_CLIENT_REQUEST", ".*")
    monkeypatch.setenv(
        "OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_SANITIZE_FIELDS", "authorization,client-token"
    )
    spans: InMemorySpanExporter = request.getfixturevalue("spans")
    await ask_twice(Sandbox())
    assert "http.request.header.authorization" in everything(spans)
    assert TOKEN not in everything(spans)
    assert CLIENT_TOKEN not in everything(spans)
