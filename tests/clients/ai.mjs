// The Vercel AI SDK with its OpenAI provider, which asks /v1/responses unless it is told otherwise.
import { createOpenAI } from "@ai-sdk/openai";
import { generateText, stepCountIs, streamText, tool } from "ai";
import { z } from "zod";

const seen = new Map();
async function fetching(url, options) {
  const response = await fetch(url, options);
  const said = `${new URL(url).pathname.split("/v1/")[1]} steered: ${response.headers.get("x-costeer-steered") ?? "not said"}`;
  seen.set(said, (seen.get(said) ?? 0) + 1);
  return response;
}
const openai = createOpenAI({ baseURL: process.argv[2], apiKey: "unused", fetch: fetching });
const common = { temperature: 0, maxOutputTokens: 60, maxRetries: 0 };
const HELLO = "Say hello to me in a few words.";
const WEATHER = "What is the weather in Paris? Call get_weather for it.";

function expect(holds, otherwise) {
  if (!holds) throw new Error(otherwise);
}

function weather() {
  const cities = [];
  const get_weather = tool({
    description: "The weather in a city.",
    inputSchema: z.object({ city: z.string() }),
    execute: async ({ city }) => (cities.push(city), "Sunny, 21 degrees"),
  });
  return { cities, tools: { get_weather } };
}

// The first step has to call, the second may say what came of it.
const calling = { stopWhen: stepCountIs(2), prepareStep: ({ stepNumber }) => ({ toolChoice: stepNumber ? "auto" : "required" }) };

const asking = (model) => ({
  async generateText() {
    const { text, usage } = await generateText({ ...common, model, prompt: HELLO });
    expect(text && usage.outputTokens > 0, `text ${text.length}, usage ${JSON.stringify(usage)}`);
  },
  async streamText() {
    const result = streamText({ ...common, model, prompt: HELLO, onError: () => {} });
    const pieces = [];
    for await (const piece of result.textStream) pieces.push(piece);
    expect(pieces.length > 1, `${pieces.length} pieces`);
    expect((await result.usage).outputTokens > 0, "no usage");
    expect(["stop", "length"].includes(await result.finishReason), `finished by ${await result.finishReason}`);
  },
  async "streamText with a tool"() {
    const { cities, tools } = weather();
    const result = streamText({ ...common, ...calling, model, tools, prompt: WEATHER, onError: () => {} });
    const kinds = new Set();
    for await (const part of result.fullStream) {
      if (part.type === "error") throw part.error;
      kinds.add(part.type);
    }
    for (const kind of ["tool-input-delta", "tool-call", "tool-result"]) expect(kinds.has(kind), `no ${kind}`);
    expect(cities.join() === "Paris" && (await result.text), `called for ${cities}`);
  },
  async "text beside a tool"() {
    const { cities, tools } = weather();
    const result = streamText({ ...common, model, tools, prompt: HELLO, onError: () => {} });
    expect((await result.text) && cities.length === 0, `called for ${cities}`);
  },
  async "a second turn"() {
    const messages = [{ role: "user", content: "My cat is called Momo. Say hello to her." }];
    const first = await generateText({ ...common, model, messages });
    messages.push(...first.response.messages, { role: "user", content: "What is my cat called?" });
    const { text } = await generateText({ ...common, model, messages });
    expect(text.includes("Momo"), text);
  },
});

const [name] = process.argv.slice(3);
const suites = { responses: asking(openai(name)), chat: asking(openai.chat(name)) };
let failed = 0, all = 0;
for (const [api, checks] of Object.entries(suites)) {
  for (const [check, run] of Object.entries(checks)) {
    all += 1;
    try {
      await run();
    } catch (error) {
      failed += 1;
      console.log(`FAILED ${api}, ${check}: ${String(error.message).split("\n")[0]} ${error.responseBody?.slice(0, 300) ?? ""}`);
    }
  }
}
console.log(`${all - failed} of ${all} pass; ${[...seen].map(([said, count]) => `${count} of ${said}`).join(", ")}`);
process.exit(failed ? 1 : 0);
