"""The HTTP API: routes, middleware, schemas and error handlers."""
