// The official openai package: chat completions.
import OpenAI from "openai";
import * as told from "./told.mjs";

const client = new OpenAI({ baseURL: told.v1, apiKey: told.apiKey, timeout: 300_000, maxRetries: 0 });
const wanted = { model: told.model, temperature: 0, max_tokens: told.maxTokens };

async function* texts(chunks) {
  for await (const chunk of chunks) yield chunk.choices[0]?.delta?.content;
}

await told.tell({
  async whole() {
    const { choices } = await client.chat.completions.create({ messages: told.user(told.greet), ...wanted });
    return told.whole(choices[0].message.content, choices[0].finish_reason);
  },
  async stream() {
    return told.stream(texts(await client.chat.completions.create({ messages: told.user(told.count), stream: true, ...wanted })));
  },
  async tool() {
    const tools = [{ type: "function", function: { ...told.described, parameters: told.schema } }];
    const events = client.chat.completions.stream({ messages: told.user(told.askWeather), tools, ...wanted });
    const { choices } = await events.finalChatCompletion();
    const call = choices[0].message.tool_calls[0].function;
    return told.tool(call.name, call.arguments);
  },
});
