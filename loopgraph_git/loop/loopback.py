"""HTTP servers on loopback, for as long as somebody needs them."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


class _Server(ThreadingHTTPServer):
    # of more than five at once, the others would wait a second
    request_queue_size = 128


@contextmanager
def serving(
    handler: type[BaseHTTPRequestHandler], shared: Mapping[str, object]
) -> Iterator[str]:
    """Serve on a free port of 127.0.0.1; yields the base URL, which ends with /v1.

    `shared` is what the handlers of all requests have in common, as their members.
    """
    kind = type(handler.__name__, (handler,), dict(shared))
    server = _Server(("127.0.0.1", 0), kind)
    # shutdown waits for the next look at the clock
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
