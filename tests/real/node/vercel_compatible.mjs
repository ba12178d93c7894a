// The Vercel AI SDK with @ai-sdk/openai-compatible.
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import * as told from "./told.mjs";
import { tell } from "./vercel.mjs";

await tell(createOpenAICompatible({ name: "router", baseURL: told.v1, apiKey: told.apiKey })(told.model));
