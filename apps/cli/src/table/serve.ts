import { command } from "../input/command.js";
import { connectionsOption } from "./moving-options.js";

export const serve = command({
  name: "serve",
  group: "Serve",
  summary: "Serve the cache as an OCI registry, and as a pull-through mirror of others",
  description: [
    "Runs until it is interrupted. A request names the registry of a repository with ?ns=REGISTRY or as the first component of the path; neither is needed if the cache has that repository from only one registry. Images pulled from layouts, archives and directories are never served.",
    "With --upstream, content that is not in the cache is fetched from that registry when a client requests it: once for all clients, which receive it as it arrives. Requests that name no registry go to --default. If an upstream fails, stored tags are served with a Warning header.",
    "Beyond loopback addresses, --htpasswd or --anonymous-pull decides who may use the cache; on a loopback address without --htpasswd, every client is trusted. /livez and /readyz tell whether the server is alive and can serve. The page / shows its state and how to set up clients; /api/status has the same as JSON, and /metrics is for Prometheus. SIGHUP reloads certificates and passwords.",
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
    fresh: {
      value: "TIME",
      default: "60s",
      summary: "how long a tag is served before it is checked with its upstream again",
    },
    offline: { summary: "contact no upstream: serve only cached content" },
    "limit-rate": {
      value: "[HOST=]SIZE",
      many: true,
      summary:
        "limit the bytes per second that all workers together read from upstreams; with HOST=, those from one upstream",
    },
    ...connectionsOption,
    push: { summary: "accept pushes to, and deletions from, repositories that belong to no upstream" },
    "max-size": {
      value: "SIZE",
      summary:
        "limit on the size of the cache of a mirror, such as 100GB; pushed images with a tag are never removed (default: the setting maxSize)",
    },
    htpasswd: {
      value: "FILE",
      summary: "require a login: users and bcrypt hashes, as written by htpasswd -B; read again when it changes",
    },
    "anonymous-pull": { summary: "allow pulls without a login; pushes and the status page still need one" },
    "tls-cert": { value: "FILE", summary: "serve with TLS: the certificate in PEM; read again on SIGHUP" },
    "tls-key": { value: "FILE", summary: "the private key of --tls-cert in PEM" },
    "access-log": { summary: "write a JSON line for each request to stderr" },
    "limit-client": {
      value: "N[/SIZE]",
      summary: "limit each client address to N requests at a time, and SIZE bytes per second",
    },
    grace: { value: "TIME", default: "30s", summary: "how long transfers may continue after SIGTERM or Ctrl-C" },
    workers: { value: "N", default: "1", summary: "serve with this many processes" },
    advertise: {
      value: "URL",
      summary:
        "join the mirrors that share this bucket (--tier) or Redis (--bic) and fetch each blob once in total; URL is where the others reach this one",
    },
    "fleet-secret": {
      value: "FILE",
      completes: "file",
      summary:
        "the secret that these mirrors share (default: the first one creates it and stores it in the bucket or Redis)",
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
    { line: "mote serve --push", does: "Serve a registry that programs on this machine can push to" },
    { line: "mote serve", does: "Serve on http://127.0.0.1:5000, for this machine only" },
    {
      line: "mote serve --host 0.0.0.0 --port 8080 --anonymous-pull",
      does: "Allow every host that can reach this machine to pull",
    },
    {
      line: "mote serve --host 0.0.0.0 --htpasswd users --tls-cert cert.pem --tls-key key.pem --allow-host mirror.acme.dev",
      does: "Serve https://mirror.acme.dev:5000 to clients that log in",
    },
    {
      line: "mote serve --host 0.0.0.0 --anonymous-pull --upstream docker.io --bic redis://redis.acme.dev --advertise http://10.0.0.7:5000",
      does: "Join several mirrors that fetch each blob once in total",
    },
  ],
  run: async (context, _values, options) => (await import("../commands/serve.js")).serve(context, options),
});
