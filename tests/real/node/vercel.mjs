// What the Vercel AI SDK does, whichever dialect its model speaks.
import { generateText, jsonSchema, streamText, tool } from "ai";
import * as told from "./told.mjs";

export async function tell(model) {
  const wanted = { model, temperature: 0, maxOutputTokens: told.maxTokens, maxRetries: 0 };
  await told.tell({
    async whole() {
      const { text, finishReason } = await generateText({ prompt: told.greet, ...wanted });
      return told.whole(text, finishReason);
    },
    async stream() {
      let failed;
      const onError = ({ error }) => (failed = error); // it ends the stream in silence otherwise
      const said = await told.stream(streamText({ prompt: told.count, onError, ...wanted }).textStream);
      if (failed) throw failed;
      return said;
    },
    async tool() {
      const { name, description } = told.described;
      const tools = { [name]: tool({ description, inputSchema: jsonSchema(told.schema) }) };
      const { toolCalls } = await generateText({ prompt: told.askWeather, tools, ...wanted });
      return told.tool(toolCalls[0].toolName, toolCalls[0].input);
    },
  });
}
