"""A server on loopback that answers as AWS does: moto, and what moto lacks."""

from __future__ import annotations

import io
import json
import threading
import urllib.parse
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
WsgiApp = Callable[[Environ, StartResponse], Iterable[bytes]]


ENDPOINT = "double-ats.iot.eu-central-1.amazonaws.com"


class _Iot:
    """What moto lacks of AWS IoT: the tags of resources, and an endpoint that stays the same.

    Everything that a module makes carries the same tags, those of its provider: the last ones
    that came with a creation are given for every resource.
    """

    def __init__(self, app: WsgiApp) -> None:
        self._app = app
        self._tags: list[dict[str, str]] = []
        # One answer at a time: moto parses code for its routes, which CPython 3.11 cannot do in
        # two threads at once ("AST constructor recursion depth mismatch").
        self._turn = threading.Lock()

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        service = environ.get("HTTP_AUTHORIZATION", "").split("/")
        if len(service) > 3 and service[3] == "iot":
            answers = {"/tags": {"tags": self._tags}, "/endpoint": {"endpointAddress": ENDPOINT}}
            if environ["REQUEST_METHOD"] == "GET" and environ["PATH_INFO"] in answers:
                start_response("200 OK", [("Content-Type", "application/json")])
                return [json.dumps(answers[environ["PATH_INFO"]]).encode()]
            self._note(environ)
        with self._turn:
            return self._app(environ, start_response)

    def _note(self, environ: Environ) -> None:
        header = environ.get("HTTP_X_AMZ_TAGGING", "")
        if header:
            pairs = urllib.parse.parse_qsl(header)
            self._tags = [{"Key": key, "Value": value} for key, value in pairs]
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = io.BytesIO(body)
        if body.startswith(b"{"):
            self._tags = json.loads(body).get("tags") or self._tags


@contextmanager
def aws_double() -> Iterator[str]:
    """Its address, while it runs."""
    app = _Iot(DomainDispatcherApplication(create_backend_app))
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.shutdown()
        thread.join()
