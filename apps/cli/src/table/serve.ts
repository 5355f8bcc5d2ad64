import { command } from "../input/command.js";

export const serve = command({
  name: "serve",
  group: "Serve",
  summary: "Serve the cache as an OCI registry, and as a pull-through mirror of others",
  description: [
    "With --upstream, content that is not in the cache is fetched from that registry when a client requests it: once for all clients, who read it while it arrives. A request selects its upstream with ?ns=NAME or as the first component of the path; other requests go to --default. If an upstream fails, stored tags are served with a Warning header.",
    "Runs until it is interrupted. Clients name the registry of a repository with ?ns=REGISTRY or as the first component of the path. The path alone is enough if the cache has that repository from one registry only. Images pulled from layouts, archives and directories are never served.",
  ],
  options: {
    host: { value: "ADDRESS", default: "127.0.0.1", summary: "the address to listen on" },
    port: { value: "PORT", default: "5000", summary: "the port to listen on; 0 selects a free one" },
    upstream: {
      value: "NAME[=URL]",
      many: true,
      summary: "fetch missing content from this registry, named as in references, such as docker.io",
    },
    default: {
      value: "NAME|none",
      summary: "the upstream of requests that name none (default: the only upstream)",
    },
    fresh: { value: "TIME", default: "60s", summary: "how long a tag is served without asking its upstream again" },
    offline: { summary: "never ask an upstream: serve only what is stored" },
    "max-size": {
      value: "SIZE",
      summary:
        "limit on the size of the cache while it serves as a mirror, such as 100GB (default: the setting maxSize)",
    },
    "allow-host": {
      value: "NAME",
      many: true,
      summary:
        "accept requests for this host name, besides IP addresses and localhost (default: none on loopback, otherwise any)",
    },
    "max-connections": {
      value: "N",
      summary: "limit on simultaneous connections (default 4096, or fewer if the open-files limit is low)",
    },
    "write-timeout": { value: "TIME", summary: "disconnect a client that reads nothing for this long (default 1m)" },
  },
  examples: [
    {
      line: "mote serve --upstream docker.io --upstream ghcr.io --default docker.io",
      does: "Mirror two registries for the clients of this machine",
    },
    { line: "mote serve", does: "Serve on http://127.0.0.1:5000, for this machine only" },
    { line: "mote serve --host 0.0.0.0 --port 8080", does: "Serve to every host that can reach this machine" },
    {
      line: "mote serve --host 0.0.0.0 --allow-host mirror.acme.dev",
      does: "Accept requests for http://mirror.acme.dev:5000 or an IP address",
    },
  ],
  run: async (context, _values, options) => (await import("../commands/serve.js")).serveCache(context, options),
});
