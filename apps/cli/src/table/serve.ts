import { command } from "../input/command.js";

export const serve = command({
  name: "serve",
  group: "Serve",
  summary: "serve the cache as an OCI registry, read-only, until interrupted",
  description: [
    "A repository is asked for by its path, with the registry as ?ns=REGISTRY or in front of the path; by its path alone if only one registry's repository of that path is in the cache. Layouts, archives and folders are never served.",
  ],
  options: {
    host: { value: "ADDRESS", default: "127.0.0.1", summary: "address to listen on" },
    port: { value: "PORT", default: "5000", summary: "port to listen on; 0 picks a free one" },
    "allow-host": {
      value: "NAME",
      many: true,
      summary:
        "answer requests that address this host, beside IP addresses and localhost; default: on loopback no other, elsewhere any",
    },
    "max-connections": {
      value: "N",
      summary: "connections at once; default: 4096, or what the limit on open files allows",
    },
    "write-timeout": { value: "TIME", summary: "how long a client may read nothing of what it is sent; default: 1m" },
  },
  examples: [
    { line: "mote serve", does: "on http://127.0.0.1:5000, for this machine alone" },
    { line: "mote serve --host 0.0.0.0 --port 8080", does: "for everybody who can reach this machine" },
    {
      line: "mote serve --host 0.0.0.0 --allow-host mirror.acme.dev",
      does: "for requests to http://mirror.acme.dev:5000 or to an IP address",
    },
  ],
  run: async (context, _values, options) => (await import("../commands/serve.js")).serveCache(context, options),
});
