"""The router of compose.yaml keeps conversations in place, repeats nothing and notes nothing private."""

from __future__ import annotations

import re
from typing import Any

from app.api.middleware.body_limits import BODY, MIB
from app.settings.settings import Settings
from docker.files import compose, router

SERVICES: dict[str, dict[str, Any]] = compose()["services"]
# Seconds after which a vLLM closes a connection that nobody uses.
VLLM_KEEPS = 5
# What a line of its log may tell.
TOLD = {
    "time_iso8601",
    "status",
    "upstream_addr",
    "upstream_header_time",
    "request_time",
    "request_method",
    "uri",
}


def seconds(duration: str) -> int:
    return int(duration[:-1]) * {"s": 1, "m": 60}[duration[-1]]


def test_it_routes_to_the_vllms_of_its_profile() -> None:
    vllms = [
        name for name in SERVICES if name.startswith("vllm") and "replicas" in SERVICES[name]["profiles"]
    ]
    assert [words[0] for words in router("server") if words] == [f"{name}:8000" for name in vllms]
    assert all("resolve" in words for words in router("server") if words)
    assert router("proxy_pass") == [["http://replicas"]]


def test_the_proxy_asks_it_and_waits_until_it_answers() -> None:
    proxy = SERVICES["costeer-replicas"]
    (port,) = router("listen")
    assert proxy["environment"]["COSTEER_REMOTE_BASE_URL"] == f"http://router:{port[0]}/v1"
    assert proxy["depends_on"] == {"router": {"condition": "service_healthy"}}
    assert SERVICES["router"]["healthcheck"]["test"][-1] == f"http://127.0.0.1:{port[0]}/health"


def test_it_chooses_by_the_header_that_the_proxy_sends() -> None:
    header = SERVICES["costeer-replicas"]["environment"]["COSTEER_REMOTE_SESSION_HEADER"]
    variable = "$http_" + header.lower().replace("-", "_")
    assert router("map") == [[variable, "$conversation"]]
    assert router("default") == [[variable]]
    # Without the header each request counts as a conversation.
    assert router('""') == [["$request_id"]]
    assert router("hash") == [["$conversation", "consistent"]]


def test_tokens_go_on_at_once_and_so_does_the_end_of_a_client() -> None:
    assert router("proxy_buffering") == [["off"]]
    assert router("proxy_ignore_client_abort") == [["off"]]


def test_it_repeats_nothing_that_was_sent() -> None:
    assert router("proxy_next_upstream") == [["error", "timeout"]]


def test_it_keeps_connections_for_less_long_than_vllm() -> None:
    assert router("proxy_http_version") == [["1.1"]]
    assert ["Connection", '""'] in router("proxy_set_header")
    (idle,) = router("keepalive_timeout")
    assert seconds(idle[0]) < VLLM_KEEPS


def test_it_is_no_stricter_than_the_proxy() -> None:
    (body,) = router("client_max_body_size")
    assert int(body[0].removesuffix("m")) * MIB > BODY
    (read,) = router("proxy_read_timeout")
    assert seconds(read[0]) > Settings.model_fields["remote_read_timeout"].default


def test_its_log_tells_nothing_of_who_asked_and_what() -> None:
    (log,) = router("log_format")
    assert set(re.findall(r"\$(\w+)", " ".join(log))) <= TOLD


def test_it_is_pinned_has_no_rights_and_writes_to_tmp_only() -> None:
    service = SERVICES["router"]
    assert re.fullmatch(r"nginx:\d+\.\d+\.\d+-alpine-slim", service["image"])
    assert "ports" not in service
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert int(service["user"].partition(":")[0]) > 0
    written = ["pid", *(f"{kind}_temp_path" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))]
    assert all(path.startswith("/tmp/") for name in written for (path,) in router(name))  # noqa: S108
    assert [entry.partition(":")[0] for entry in service["tmpfs"]] == ["/tmp"]  # noqa: S108
