"""Agent frameworks with a function to call, by the API that each takes: NAME BASE_URL MODEL.

Says how many of their requests were steered.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

HELLO = "Say hello to me in a few words."
TURNS = ("My cat is called Momo. Say hello to her.", "What is my cat called?")
CAT = "Momo"
WEATHER = "What is the weather in Paris? Call get_weather for it."
SUNNY = "Sunny, 21 degrees"
LIMIT = 100
Checks = Mapping[str, Callable[[], Awaitable[None]]]


@dataclass
class Seen:
    """What the server said of each request: its path, and whether the reply was steered."""

    answers: list[tuple[str, str]] = field(default_factory=list)

    def note(self, response: Any) -> None:
        steered = response.headers.get("X-CoSteer-Steered", "not said")
        self.answers.append((response.url.path.rpartition("/v1/")[2], steered))

    async def hook(self, response: Any) -> None:
        self.note(response)

    def __str__(self) -> str:
        counts = {answer: self.answers.count(answer) for answer in self.answers}
        return ", ".join(f"{n} of {path} steered: {said}" for (path, said), n in counts.items())


def openai_client(base_url: str, seen: Seen) -> Any:
    openai = import_module("openai")
    http = openai.DefaultAsyncHttpx2Client(event_hooks={"response": [seen.hook]})
    return openai.AsyncOpenAI(base_url=base_url, api_key="unused", max_retries=0, http_client=http)


def openai_agents(base_url: str, model: str, seen: Seen) -> Checks:
    sdk = import_module("agents")
    sdk.set_default_openai_client(openai_client(base_url, seen), use_for_tracing=False)
    sdk.set_tracing_disabled(True)
    called: list[str] = []

    @sdk.function_tool  # type: ignore[untyped-decorator]
    def get_weather(city: str) -> str:
        """The weather in a city."""
        called.append(city)
        return SUNNY

    def agent(name: str = "Helper", *, must_call: bool = False, **more: Any) -> Any:
        choice = {"tool_choice": "required"} if must_call else {}
        settings = sdk.ModelSettings(temperature=0.0, max_tokens=LIMIT, **choice)
        return sdk.Agent(name=name, instructions="You help.", model=model, model_settings=settings, **more)

    async def run() -> None:
        expect((await sdk.Runner.run(agent(), HELLO)).final_output, "nothing was said")

    async def streamed() -> None:
        result = sdk.Runner.run_streamed(agent(), HELLO)
        events = [event.data async for event in result.stream_events() if event.type == "raw_response_event"]
        pieces = [event.delta for event in events if event.type == "response.output_text.delta"]
        expect(len(pieces) > 1 and "".join(pieces) == result.final_output, f"{len(pieces)} pieces")

    async def second_turn() -> None:
        first = await sdk.Runner.run(agent(), TURNS[0])
        second = await sdk.Runner.run(agent(), TURNS[1], previous_response_id=first.last_response_id)
        expect(CAT in second.final_output, second.final_output)

    async def tool() -> None:
        result = await sdk.Runner.run(agent(tools=[get_weather], must_call=True), WEATHER)
        kinds = [item.type for item in result.new_items]
        expect(kinds == ["tool_call_item", "tool_call_output_item", "message_output_item"], str(kinds))
        expect(called.pop() == "Paris" and result.final_output, "no call, or nothing said after it")

    async def tool_streamed() -> None:
        result = sdk.Runner.run_streamed(agent(tools=[get_weather], must_call=True), WEATHER)
        names = [
            event.name async for event in result.stream_events() if event.type == "run_item_stream_event"
        ]
        expect(names[:2] == ["tool_called", "tool_output"], str(names))
        expect(called.pop() == "Paris" and result.final_output, "no call, or nothing said after it")

    async def text_beside_a_tool() -> None:
        result = await sdk.Runner.run(agent(tools=[get_weather]), HELLO)
        expect([item.type for item in result.new_items] == ["message_output_item"], str(result.new_items))

    async def handoff() -> None:
        baker = agent("Baker")
        # A small model repeats a call that it sees.
        unseen = import_module("agents.extensions.handoff_filters").remove_all_tools
        porter = agent("Porter", handoffs=[sdk.handoff(baker, input_filter=unseen)], must_call=True)
        result = await sdk.Runner.run(porter, "Let the baker say hello.")
        expect(result.last_agent is baker and result.final_output, f"{result.last_agent.name} answered")

    return {
        "a run": run,
        "a streamed run": streamed,
        "previous_response_id": second_turn,
        "a function tool": tool,
        "a function tool, streamed": tool_streamed,
        "text beside a tool": text_beside_a_tool,
        "a handoff": handoff,
    }


def pydantic_ai(kind: str) -> Callable[[str, str, Seen], Checks]:
    def checks(base_url: str, model: str, seen: Seen) -> Checks:
        library = import_module("pydantic_ai")
        models = import_module("pydantic_ai.models.openai")
        provider = import_module("pydantic_ai.providers.openai").OpenAIProvider(
            openai_client=openai_client(base_url, seen)
        )
        made = getattr(models, kind)(model, provider=provider)
        called: list[str] = []

        def get_weather(city: str) -> str:
            """The weather in a city."""
            called.append(city)
            return SUNNY

        def agent(**more: Any) -> Any:
            return library.Agent(made, model_settings={"temperature": 0.0, "max_tokens": LIMIT}, **more)

        async def run() -> None:
            expect((await agent().run(HELLO)).output, "nothing was said")

        async def streamed() -> None:
            async with agent().run_stream(HELLO) as result:
                pieces = [piece async for piece in result.stream_text(delta=True, debounce_by=None)]
            expect(len(pieces) > 1 and "".join(pieces), f"{len(pieces)} pieces")

        async def second_turn() -> None:
            first = await agent().run(TURNS[0])
            second = await agent().run(TURNS[1], message_history=first.new_messages())
            expect(CAT in second.output, second.output)

        async def tool() -> None:
            result = await agent(tools=[get_weather]).run(WEATHER)
            expect(called and called.pop() == "Paris" and result.output, f"no call, but {result.output}")

        async def typed() -> None:
            """It answers by calling a function that stands for the answer."""
            result = await agent(output_type=int).run("How many legs has a dog?")
            expect(isinstance(result.output, int), repr(result.output))

        return {
            "a run": run,
            "a streamed run": streamed,
            "a second turn": second_turn,
            "a function tool": tool,
            "a typed answer": typed,
        }

    return checks


def langchain(base_url: str, model: str, seen: Seen) -> Checks:
    messages = import_module("langchain_core.messages")
    http = import_module("httpx").AsyncClient(event_hooks={"response": [seen.hook]}, timeout=300)
    chat = import_module("langchain_openai").ChatOpenAI(
        base_url=base_url,
        api_key="unused",
        model=model,
        max_tokens=LIMIT,
        temperature=0,
        max_retries=0,
        use_responses_api=True,
        http_async_client=http,
    )
    tool = {
        "name": "get_weather",
        "description": "The weather in a city.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    }

    async def invoke() -> None:
        reply = await chat.ainvoke(HELLO)
        expect(reply.text and reply.usage_metadata["output_tokens"], "no text, or no usage")

    async def stream() -> None:
        chunks = [chunk async for chunk in chat.astream(HELLO)]
        expect(sum(bool(chunk.text) for chunk in chunks) > 1, "it came in one piece")

    async def tools() -> None:
        reply = await chat.bind_tools([tool], tool_choice="any").ainvoke(WEATHER)
        (call,) = reply.tool_calls
        expect(call["name"] == "get_weather" and call["args"] == {"city": "Paris"}, str(call))
        said = messages.ToolMessage(SUNNY, tool_call_id=call["id"])
        last = await chat.bind_tools([tool]).ainvoke([("user", WEATHER), reply, said])
        expect(bool(last.text), "nothing was said after the result")

    async def tools_streamed() -> None:
        whole = None
        async for chunk in chat.bind_tools([tool], tool_choice="any").astream(WEATHER):
            whole = chunk if whole is None else whole + chunk
        assert whole is not None
        (call,) = whole.tool_calls
        expect(call["name"] == "get_weather" and call["args"] == {"city": "Paris"}, str(call))

    return {"invoke": invoke, "stream": stream, "bind_tools": tools, "bind_tools, streamed": tools_streamed}


FRAMEWORKS: Mapping[str, Callable[[str, str, Seen], Checks]] = {
    "openai-agents": openai_agents,
    "pydantic-ai, responses": pydantic_ai("OpenAIResponsesModel"),
    "pydantic-ai, chat": pydantic_ai("OpenAIChatModel"),
    "langchain, responses": langchain,
}


def expect(holds: object, otherwise: str) -> None:
    if not holds:
        raise AssertionError(otherwise)


async def run(name: str, base_url: str, model: str) -> int:
    seen, failed = Seen(), 0
    checks = FRAMEWORKS[name](base_url, model, seen)
    for check, do in checks.items():
        try:
            await do()
        except Exception as error:
            failed += 1
            print(f"FAILED {check}: {type(error).__name__}: {str(error)[:400]}")
    print(f"{len(checks) - failed} of {len(checks)} pass; {seen}")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(asyncio.run(run(*sys.argv[1:])))
