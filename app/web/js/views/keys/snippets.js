/** What to paste into an app, so that it asks this server with a key. */

import { h } from "../../dom.js";
import { copyButton } from "../../parts/copy.js";
import { createTabs } from "../../parts/tabs.js";

const SNIPPETS = [
  {
    id: "python",
    label: "Python",
    note: "OpenAI's SDK: pip install openai",
    text: (url, key) => `from openai import OpenAI

client = OpenAI(base_url="${url}", api_key="${key}")
reply = client.chat.completions.create(
    model="default",
    messages=[{"role": "user", "content": "Write a note to my neighbour."}],
)
print(reply.choices[0].message.content)`,
  },
  {
    id: "javascript",
    label: "JavaScript",
    note: "OpenAI's SDK: npm install openai",
    text: (url, key) => `import OpenAI from "openai";

const client = new OpenAI({ baseURL: "${url}", apiKey: "${key}" });
const reply = await client.chat.completions.create({
  model: "default",
  messages: [{ role: "user", content: "Write a note to my neighbour." }],
});
console.log(reply.choices[0].message.content);`,
  },
  {
    id: "curl",
    label: "curl",
    note: "In a shell",
    text: (url, key) => `curl ${url}/chat/completions \\
  -H "Authorization: Bearer ${key}" \\
  -H "Content-Type: application/json" \\
  -d '{"model": "default", "messages": [{"role": "user", "content": "Write a note to my neighbour."}]}'`,
  },
  {
    id: "open-webui",
    label: "Open WebUI",
    note: "Admin Settings, Connections, OpenAI API, Add. From a container, the host is host.docker.internal.",
    text: (url, key) => `URL  ${url}
Key  ${key}`,
  },
  {
    id: "continue",
    label: "Continue",
    note: "In ~/.continue/config.yaml",
    text: (url, key) => `models:
  - name: CoSteer
    provider: openai
    model: default
    apiBase: ${url}
    apiKey: ${key}`,
  },
  {
    id: "librechat",
    label: "LibreChat",
    note: "In librechat.yaml. From a container, the host is host.docker.internal.",
    text: (url, key) => `endpoints:
  custom:
    - name: CoSteer
      apiKey: "${key}"
      baseURL: "${url}"
      models:
        default: ["default"]
        fetch: true`,
  },
  {
    id: "others",
    label: "Other apps",
    note: "Whatever speaks OpenAI's API: look for “base URL” or “OpenAI compatible” in its settings.",
    text: (url, key) => `Base URL  ${url}
API key   ${key}
Model     default`,
  },
];

/** The snippets with `key` in them, a tab for each app. */
export function snippets(key) {
  return createTabs("App", SNIPPETS.map(({ id, label, note, text }) => ({
    id,
    label,
    panel: () => {
      const words = text(`${location.origin}/v1`, key);
      return h("div", { class: "stack tight" },
        h("p", { class: "quiet" }, note),
        h("pre", { class: "raw", tabindex: "0", "aria-label": `For ${label}` }, words),
        h("div", { class: "buttons" }, copyButton(`The lines for ${label}`, () => words, "Copy")));
    },
  })));
}
