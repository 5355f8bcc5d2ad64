import { command } from "../command.js";

export const verify = command({
  name: "verify",
  group: "Keep",
  summary: "hash again all that is kept; set aside what is damaged",
  options: { repair: { summary: "fetch what was damaged anew, from where it is known to be" } },
  examples: [
    { line: "mote verify", does: "says what is damaged, and sets it aside" },
    { line: "mote verify --repair", does: "fetches it anew as well" },
  ],
  reachesRegistries: true,
  afterInterrupt: "what was found damaged so far is set aside",
  run: async (context, _values, options) => (await import("../commands/verify.js")).verify(context, options),
});
