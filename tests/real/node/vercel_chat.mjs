// The Vercel AI SDK with @ai-sdk/openai on chat completions.
import { createOpenAI } from "@ai-sdk/openai";
import * as told from "./told.mjs";
import { tell } from "./vercel.mjs";

await tell(createOpenAI({ baseURL: told.v1, apiKey: told.apiKey }).chat(told.model));
