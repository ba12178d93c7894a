// The Vercel AI SDK with @ai-sdk/anthropic.
import { createAnthropic } from "@ai-sdk/anthropic";
import * as told from "./told.mjs";
import { tell } from "./vercel.mjs";

await tell(createAnthropic({ baseURL: told.v1, apiKey: told.apiKey })(told.model));
