"""The port is free, taken by a CoSteer that serves already, or by something else."""

from __future__ import annotations

import socket

import pytest
from remote.loopback import Connection as Served
from remote.loopback import loopback

from app.doctor import port
from app.doctor.check import Finding, State
from app.network.listener import listen
from doctor.verdicts import findings


async def looked(number: int, host: str = "127.0.0.1") -> Finding:
    (finding,) = (await findings(port.checks(host, number))).values()
    return finding


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


async def test_a_free_port_is_ok_and_stays_free() -> None:
    number = free_port()
    assert (await looked(number)).state is State.OK
    listen("127.0.0.1", number).close()


async def test_port_0_is_always_free() -> None:
    assert (await looked(0)).state is State.OK


async def test_a_costeer_there_is_told_with_its_version(base_url: str) -> None:
    number = int(base_url.removesuffix("/v1").rpartition(":")[2])
    finding = await looked(number)
    assert finding.state is State.OK
    assert "CoSteer 0." in finding.seen


@pytest.mark.parametrize("body", [b"<html>", b'{"info": {"title": "Another", "version": "1"}}', b"[]"])
async def test_another_program_there_fails_and_another_port_is_offered(body: bytes) -> None:
    async def serve(connection: Served) -> None:
        connection.send(body)

    async with loopback(serve) as server:
        number = int(server.base_url.removesuffix("/v1").rpartition(":")[2])
        finding = await looked(number)
    assert finding.state is State.FAILED
    assert f"port {number} is taken by another program" in finding.seen
    assert f"COSTEER_PORT={number + 1}" in finding.mend


async def test_an_address_that_is_not_this_machine_s_fails() -> None:
    finding = await looked(8000, "192.0.2.1")
    assert finding.state is State.FAILED
    assert "COSTEER_HOST" in finding.mend
