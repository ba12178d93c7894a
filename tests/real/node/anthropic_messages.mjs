// The official @anthropic-ai/sdk package.
import Anthropic from "@anthropic-ai/sdk";
import * as told from "./told.mjs";

const client = new Anthropic({ baseURL: told.url, apiKey: told.apiKey, timeout: 300_000, maxRetries: 0 });
const wanted = { model: told.model, temperature: 0, max_tokens: told.maxTokens };

async function* texts(events) {
  for await (const event of events) if (event.type === "content_block_delta") yield event.delta.text;
}

await told.tell({
  async whole() {
    const answer = await client.messages.create({ messages: told.user(told.greet), ...wanted });
    const text = answer.content.map((block) => (block.type === "text" ? block.text : "")).join("");
    return told.whole(text, answer.stop_reason);
  },
  async stream() {
    return told.stream(texts(client.messages.stream({ messages: told.user(told.count), ...wanted })));
  },
  async tool() {
    const tools = [{ ...told.described, input_schema: told.schema }];
    const answer = await client.messages.stream({ messages: told.user(told.askWeather), tools, ...wanted }).finalMessage();
    const call = answer.content.find((block) => block.type === "tool_use");
    return told.tool(call.name, call.input);
  },
});
