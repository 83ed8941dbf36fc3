"""Several remotes: each is examined by itself, and whether they serve one model."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from app.doctor import remotes
from app.doctor.check import Check, Finding, State, ok
from app.remote.replicas import Replicas
from doctor.fake_vllm import FakeVLLM
from doctor.verdicts import findings


@asynccontextmanager
async def opened(*fakes: FakeVLLM) -> AsyncIterator[Replicas]:
    async with AsyncExitStack() as stack:
        vllms = [one.remote() for one in fakes]
        for one in vllms:
            stack.push_async_callback(one.aclose)
        replicas = Replicas(vllms)
        stack.push_async_callback(replicas.aclose)
        yield replicas


async def compared(*fakes: FakeVLLM) -> Finding:
    async with opened(*fakes) as replicas:
        found: Mapping[str, Finding] = await findings([remotes.compared(replicas)])
    return found["remotes"]


async def test_remotes_of_one_model_go_on_for_each_other() -> None:
    found = await compared(FakeVLLM(), FakeVLLM())
    assert found.state is State.OK
    assert found.seen.startswith("All 2 serve fake-model, 4,096 tokens")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (FakeVLLM(down=True), "Remote 2: The remote cannot be reached."),
        (FakeVLLM(models=("other",)), "Remote 2: It serves 'other', and not 'fake-model'"),
        (FakeVLLM(shift=1), "Remote 2: It serves another 'fake-model', whose tokenizer"),
        (FakeVLLM(key="sk-1"), "Remote 2: The remote does not let us in"),
    ],
)
async def test_one_that_cannot_be_used_is_a_warning_with_why(wrong: FakeVLLM, said: str) -> None:
    found = await compared(FakeVLLM(), wrong, FakeVLLM())
    assert found.state is State.WARNING
    assert found.seen.startswith("2 of 3 can be used.")
    assert said in found.seen


async def test_when_none_can_be_used_it_fails() -> None:
    found = await compared(FakeVLLM(down=True), FakeVLLM(key="sk-1"))
    assert found.state is State.FAILED
    assert "Remote 1: The remote cannot be reached." in found.seen
    assert "Remote 2: The remote does not let us in" in found.seen


async def test_numbered_checks_need_those_of_the_same_remote() -> None:
    async def fine() -> object:
        return ok("")

    checks = [Check("remote", fine), Check("model", fine, ("remote",))]  # type: ignore[arg-type]
    assert [(one.name, one.needs) for one in remotes.numbered(checks, 2)] == [
        ("remote 2", ()),
        ("model 2", ("remote 2",)),
    ]
