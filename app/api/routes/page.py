"""GET /: the page of app/web, from this package's own files; it asks for no key and holds nothing private."""

from __future__ import annotations

from importlib.resources import files

from fastapi import FastAPI
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import Response
from starlette.types import Scope

ASSETS = "/web"
FOLDER = str(files("app") / "web")
# Everything that the browser runs, loads or asks is this server's; texts cannot become markup, since no code
# of the page may make any (require-trusted-types-for); and no page that opened it keeps a hold of it (COOP).
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    # Asked for again each time, or after an update an old module might meet a new one; the ETag saves bytes.
    "Cache-Control": "no-cache",
}


def install(app: FastAPI) -> None:
    """Serves the page at / and its files below /web."""

    async def page() -> Response:
        return FileResponse(f"{FOLDER}/index.html", media_type="text/html", headers=HEADERS)

    app.add_api_route("/", page, include_in_schema=False)
    app.mount(ASSETS, GZipMiddleware(_Files(directory=FOLDER)))


class _Files(StaticFiles):
    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers.update(HEADERS)
        return response
