"""Bodies whose length nobody announced."""

from __future__ import annotations

import io

import pytest
from flask.testing import FlaskClient

CHUNKED = {"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"}


@pytest.mark.parametrize("start", [b"{}", b'{"email":"kim@example.com","password":"kraken-vulcan-42"}', b'{"x":"'])
@pytest.mark.parametrize("path", ["/users", "/auth/login"])
def test_chunked_body_above_the_limit_is_refused(client: FlaskClient, path: str, start: bytes) -> None:
    """F15, ASVS 4.3.1: without a length the limit holds as well; what is beyond it is not cut off and forgotten."""
    body = io.BytesIO(start + b" " * 200_000 + b"<")

    response = client.post(path, input_stream=body, content_type="application/json", environ_overrides=CHUNKED)

    assert (response.status_code, response.json["code"]) == (413, "body_too_large")
    assert body.tell() <= 2 * 64 * 1024


def test_chunked_body_below_the_limit_is_read(client: FlaskClient) -> None:
    """The control."""
    body = io.BytesIO(b'{"email":"kim@example.com","password":"kraken-vulcan-42"}')

    response = client.post("/users", input_stream=body, content_type="application/json", environ_overrides=CHUNKED)

    assert response.status_code == 201
