import { command } from "../command.js";

export const serve = command({
  name: "serve",
  group: "Serve",
  summary: "serve the cache as an OCI registry, read-only, until interrupted",
  options: {
    host: { value: "ADDRESS", default: "127.0.0.1", summary: "address to listen on" },
    port: { value: "PORT", default: "5000", summary: "port to listen on; 0 picks a free one" },
  },
  examples: [
    { line: "mote serve", does: "on http://127.0.0.1:5000, for this machine alone" },
    { line: "mote serve --host 0.0.0.0 --port 8080", does: "for everybody who can reach this machine" },
  ],
  run: async (context, _values, options) => (await import("../commands/serve.js")).serveCache(context, options),
});
