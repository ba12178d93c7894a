// The official openai package: the Responses API.
import OpenAI from "openai";
import * as told from "./told.mjs";

const client = new OpenAI({ baseURL: told.v1, apiKey: told.apiKey, timeout: 300_000, maxRetries: 0 });
const wanted = { model: told.model, temperature: 0, max_output_tokens: told.maxTokens, store: false };

async function* texts(events) {
  for await (const event of events) if (event.type === "response.output_text.delta") yield event.delta;
}

await told.tell({
  async whole() {
    const answer = await client.responses.create({ input: told.greet, ...wanted });
    return told.whole(answer.output_text, answer.status);
  },
  async stream() {
    return told.stream(texts(await client.responses.create({ input: told.count, stream: true, ...wanted })));
  },
  async tool() {
    const tools = [{ type: "function", strict: false, ...told.described, parameters: told.schema }];
    const answer = await client.responses.create({ input: told.askWeather, tools, ...wanted });
    const call = answer.output.find((item) => item.type === "function_call");
    return told.tool(call.name, call.arguments);
  },
});
