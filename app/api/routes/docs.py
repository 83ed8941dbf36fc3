"""/docs: Swagger UI for reading and trying the API, served from local files only."""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files
from typing import Any

from fastapi import FastAPI
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles

ASSETS = "/docs/assets"
START = """
SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  displayRequestDuration: true,
  validatorUrl: null,
});
"""
PAGE = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>CoSteer</title>
<link rel="icon" href="{ASSETS}/favicon-32x32.png">
<link rel="stylesheet" href="{ASSETS}/swagger-ui.css">
</head>
<body>
<div id="swagger-ui"></div>
<script src="{ASSETS}/swagger-ui-bundle.js"></script>
<script>{START}</script>
</body>
</html>
"""
# A foreign script on this page could read every profile: the policy lets the browser run and load our own
# files only, and connect nowhere else.
POLICY = (
    "default-src 'none'; connect-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; "
    f"script-src 'self' 'sha256-{base64.b64encode(hashlib.sha256(START.encode()).digest()).decode()}'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def install(app: FastAPI) -> None:
    """Serves the page, and Swagger UI's files from the package fastapi-swagger."""

    async def page() -> HTMLResponse:
        return HTMLResponse(PAGE, headers={"Content-Security-Policy": POLICY})

    document = app.openapi

    def with_optional_keys() -> dict[str, Any]:
        described = document()
        for operations in described["paths"].values():
            for operation in operations.values():
                if "security" in operation:
                    operation["security"] = [{}, *(one for one in operation["security"] if one)]
        return described

    # FastAPI documents each route's API key as required, but until there is an admin key none is.
    app.openapi = with_optional_keys  # type: ignore[method-assign]
    app.add_api_route("/docs", page, include_in_schema=False)
    app.mount(ASSETS, StaticFiles(directory=str(files("fastapi_swagger") / "resources")))
