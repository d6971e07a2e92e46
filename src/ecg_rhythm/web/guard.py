"""What a browser must not do with the service for another site, and what it may do with an answer."""

from __future__ import annotations

from urllib.parse import urlsplit

from fastapi.responses import JSONResponse
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
DOCS_POLICY = POLICY.replace("script-src 'self'", "script-src 'self' 'unsafe-inline'").replace(
    "style-src 'self'", "style-src 'self' 'unsafe-inline'"
)
"""The library's page of documentation has an inline script; it shows nothing that a client sent."""


class Guard:
    """Middleware: requests of other sites are refused, and each response gets headers of security.

    Parameters
    ----------
    app : ASGI application
        What answers the others.
    hosts : set of str
        Names of this server, besides those of the loopback device. A page of another site that makes its own name lead
        here (DNS rebinding) sends that name.
    """

    def __init__(self, app: ASGIApp, hosts: frozenset[str]) -> None:
        self._app, self._hosts = app, LOOPBACK | {_plain(host) for host in hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def secured(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(HEADERS)
                docs = scope["path"].startswith("/api/docs")
                headers["Content-Security-Policy"] = DOCS_POLICY if docs else POLICY
            await send(message)

        refusal = self._refusal(scope["method"], Headers(scope=scope))
        answer = self._app if refusal is None else JSONResponse({"error": refusal}, 403)
        await answer(scope, receive, secured)

    def _refusal(self, method: str, headers: Headers) -> str | None:
        host = headers.get("host", "")
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            name = ""
        if _plain(name) not in self._hosts:
            return "this server does not go by the name in Host; start it with --allow-host and that name"
        if method in SAFE:
            return None
        # Browsers say where a request comes from; other programs say nothing.
        site, origin = headers.get("sec-fetch-site", "none"), headers.get("origin")
        if site not in ("same-origin", "none") or (origin is not None and origin.partition("://")[2] != host):
            return "this request comes from a page of another site; send it from this one"
        return None


def _plain(host: str) -> str:
    """A name or address without the brackets of IPv6 and what else may be written differently."""
    return host.lower().strip("[]").removesuffix(".")
