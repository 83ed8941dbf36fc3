// The official openai npm package: chat, stream, abort, tools and embeddings.
import OpenAI from "openai";

const client = new OpenAI({ baseURL: process.argv[2], apiKey: "unused", maxRetries: 0 });
const model = (await client.models.list()).data[0].id;
const ask = (content, more = {}) => ({ model, messages: [{ role: "user", content }], max_tokens: 30, ...more });
const tools = [{
  type: "function",
  function: {
    name: "get_weather",
    parameters: { type: "object", properties: { location: { type: "string" } }, required: ["location"] },
  },
}];

function expect(holds, otherwise) {
  if (!holds) throw new Error(otherwise);
}

const checks = {
  async chat() {
    const reply = await client.chat.completions.create(ask("Say hello."));
    expect(reply.choices[0].message.content, "no content");
    expect(reply.usage.total_tokens > 0, "no usage");
  },
  async stream() {
    const stream = await client.chat.completions.create(
      ask("Say hello.", { stream: true, stream_options: { include_usage: true } }));
    let text = "", usage = null, finish = null;
    for await (const chunk of stream) {
      text += chunk.choices[0]?.delta?.content ?? "";
      finish ??= chunk.choices[0]?.finish_reason ?? null;
      usage = chunk.usage ?? usage;
    }
    expect(text && finish && usage, `text ${text.length}, finish_reason ${finish}, usage ${usage !== null}`);
  },
  async "stream helper"() {
    const runner = client.chat.completions.stream(ask("Say hello."));
    expect((await runner.finalChatCompletion()).choices[0].message.content, "no content");
  },
  async abort() {
    const stream = await client.chat.completions.create(
      ask("Write a long essay.", { stream: true, max_tokens: 2000 }));
    let chunks = 0;
    for await (const _ of stream) if (++chunks === 3) stream.controller.abort();
    expect(chunks < 10, `${chunks} chunks came`);
  },
  async tools() {
    const reply = await client.chat.completions.create(ask("Weather in Paris?", { tools, tool_choice: "required" }));
    expect(reply.choices[0].finish_reason === "tool_calls", `finish_reason ${reply.choices[0].finish_reason}`);
    JSON.parse(reply.choices[0].message.tool_calls[0].function.arguments);
  },
  async "tools, streamed"() {
    const runner = client.chat.completions.stream(ask("Weather in Paris?", { tools, tool_choice: "required" }));
    const reply = await runner.finalChatCompletion();
    JSON.parse(reply.choices[0].message.tool_calls[0].function.arguments);
  },
  async "tools, run to the end"() {
    const runnable = [{
      type: "function",
      function: { ...tools[0].function, parse: JSON.parse, function: () => "Sunny" },
    }];
    const runner = client.chat.completions.runTools(ask("Weather in Paris?", { tools: runnable, stream: true }));
    expect(await runner.finalContent(), "no content after the tool");
  },
  async embeddings() {
    const reply = await client.embeddings.create({ model, input: ["one", "two"] });
    expect(reply.data.length === 2 && reply.data[1].embedding.length > 0, "no vectors");
  },
  async responses() {
    expect((await client.responses.create({ model, input: "Say hello." })).output_text, "no output_text");
  },
  async "responses, streamed"() {
    const stream = await client.responses.create(
      { model, input: "Say hello.", max_output_tokens: 20, stream: true });
    let text = "", last = null;
    for await (const event of stream) {
      if (event.type === "response.output_text.delta") text += event.delta;
      last = event;
    }
    expect(["response.completed", "response.incomplete"].includes(last.type), `it ends with ${last.type}`);
    const final = last.response.output[0].content[0].text;
    expect(text && text === final, `pieces ${JSON.stringify(text)}, at the end ${JSON.stringify(final)}`);
  },
  async "responses, stream helper"() {
    const runner = client.responses.stream({ model, input: "Say hello.", max_output_tokens: 20 });
    expect((await runner.finalResponse()).output_text, "no output_text");
  },
  async "responses, second turn"() {
    const first = await client.responses.create({ model, input: "Say hello.", max_output_tokens: 20 });
    const more = { previous_response_id: first.id, max_output_tokens: 20 };
    expect((await client.responses.create({ model, input: "Again.", ...more })).output_text, "no output_text");
  },
  async "model by id"() {
    expect((await client.models.retrieve(model)).id === model, "another id");
  },
  async "unknown model"() {
    const error = await client.chat.completions.create({ ...ask("Hello"), model: "nope" }).catch((e) => e);
    expect(error instanceof OpenAI.NotFoundError, `no NotFoundError but ${error?.constructor?.name}`);
    expect(error.code === "model_not_found", `code ${error.code}`);
  },
};

// What each kind of remote cannot do: a small embedded model, and one whose template has tools.
const beyond = {
  embedded: ["tools", "tools, streamed", "tools, run to the end", "embeddings"],
  tools: ["embeddings"],
  fake: [],
}[process.argv[3]];
const chosen = Object.entries(checks).filter(([name]) => !beyond.includes(name));
let failed = 0;
for (const [name, check] of chosen) {
  try {
    await check();
  } catch (error) {
    failed += 1;
    console.log(`FAILED ${name}: ${error.message.split("\n")[0]}`);
  }
}
console.log(`${chosen.length - failed} of ${chosen.length} pass`);
process.exit(failed ? 1 : 0);
