// The Vercel AI SDK with @ai-sdk/openai as it is by default: on the Responses API.
import { createOpenAI } from "@ai-sdk/openai";
import * as told from "./told.mjs";
import { tell } from "./vercel.mjs";

await tell(createOpenAI({ baseURL: told.v1, apiKey: told.apiKey })(told.model));
