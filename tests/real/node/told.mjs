// What every client script is asked, and how it tells what it got: one JSON object on standard output, as the Python ones do.
export const url = process.argv[2];
export const v1 = `${url}/v1`;
export const model = "auto";
export const apiKey = "unused";
export const greet = "hi";
export const count = "count";
export const askWeather = "What is the weather in Paris?";
export const maxTokens = 100;
export const schema = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
export const described = { name: "get_weather", description: "Get the weather" };

export const user = (content) => [{ role: "user", content }];
export const whole = (text, finish) => ({ text, finish });

export async function stream(pieces) {
  const found = [];
  for await (const piece of pieces) if (piece) found.push(piece);
  return { text: found.join(""), pieces: found.length };
}

export const tool = (name, given) => ({ name, arguments: typeof given === "string" ? JSON.parse(given) : given });

export async function tell(parts) {
  const said = {};
  for (const [name, part] of Object.entries(parts)) {
    try {
      said[name] = await part();
    } catch (error) {
      said[name] = { error: `${error.stack}\n${JSON.stringify(error)}` };
    }
  }
  console.log(JSON.stringify(said));
}
