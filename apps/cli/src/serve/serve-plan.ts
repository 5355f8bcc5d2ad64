import { isIP } from "node:net";
import { UsageError } from "../input/usage-error.js";
import { parseBytes, parseDurationMs } from "../output/quantity.js";
import type { Settings } from "../settings/load-settings.js";
import { planFleet } from "./fleet-plan.js";

const maxWorkers = 256;

export interface ServeCommandOptions {
  readonly host: string;
  readonly port: string;
  readonly upstream?: readonly string[];
  readonly default?: string;
  readonly fresh: string;
  readonly offline: boolean;
  readonly push: boolean;
  readonly maxSize?: string;
  readonly htpasswd?: string;
  readonly anonymousPull: boolean;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly accessLog: boolean;
  readonly limitClient?: string;
  readonly grace: string;
  readonly workers: string;
}

/** What `mote serve` does, from its options. */
export type ServePlan = ReturnType<typeof planServe>;

/** Checks the options of `mote serve`. @throws UsageError */
export function planServe(options: ServeCommandOptions, settings: Settings) {
  const { allowHost, maxConnections, writeTimeout, maxRate, connectionsPerBlob } = settings;
  const host = readHost(options.host);
  const port = readPort(options.port);
  if (writeTimeout === 0) throw new UsageError("--write-timeout 0 is not valid; use a time above 0, such as 60s");
  const { upstream: upstreams = [], default: defaultUpstream, offline, htpasswd, anonymousPull, accessLog } = options;
  const freshMs = parseDurationMs(options.fresh);
  if (defaultUpstream !== undefined && upstreams.length === 0) {
    throw new UsageError("--default requires an --upstream of that name");
  }
  const isLoopback = isLoopbackHost(host);
  if (!isLoopback && htpasswd === undefined && !anonymousPull) {
    throw new UsageError(
      `--host ${options.host} would let everyone who can reach this machine use the cache; add --htpasswd FILE to require logins, or --anonymous-pull to let everyone pull`,
    );
  }
  if (!isLoopback && options.push && htpasswd === undefined) {
    throw new UsageError(`--push on --host ${options.host} requires logins; add --htpasswd FILE`);
  }
  const workers = Number(options.workers);
  if (!/^\d{1,3}$/.test(options.workers) || workers < 1 || workers > maxWorkers)
    throw new UsageError(`--workers ${options.workers} is not valid; use 1 to ${maxWorkers}`);
  const tls = readTls(options);
  const { advertise, secretFile } = planFleet(settings, { upstreams });
  return {
    /** Undefined if every client is trusted. */
    access: isLoopback && htpasswd === undefined ? undefined : { htpasswd, anonymousPull },
    /** Whether SIGHUP reads something again. */
    isReloadable: htpasswd !== undefined || tls !== undefined,
    sendsPasswordsInClear: !isLoopback && htpasswd !== undefined && tls === undefined,
    maxSize: options.maxSize === undefined ? undefined : parseBytes(options.maxSize),
    workers,
    accessLog,
    graceText: options.grace,
    /** The file of the secret of the fleet. */
    secretFile,
    server: {
      host,
      port,
      tls,
      allowHosts: allowHost,
      maxConnections,
      writeTimeoutMs: writeTimeout,
      graceMs: parseDurationMs(options.grace),
      clientLimit: readClientLimit(options.limitClient),
      push: options.push,
      advertise,
      mirror: {
        upstreams,
        defaultUpstream,
        freshMs,
        offline,
        maxRate: rateOfEach(maxRate, workers),
        connectionsPerBlob,
      },
    },
  };
}

/** Returns the rate of each worker: it does not know what the others read. */
function rateOfEach(maxRate: Settings["maxRate"], workers: number): Settings["maxRate"] {
  if (typeof maxRate !== "object") return maxRate && maxRate / workers;
  return Object.fromEntries(Object.entries(maxRate).map(([host, rate]) => [host, rate / workers]));
}

function readTls({ tlsCert: certFile, tlsKey: keyFile }: ServeCommandOptions) {
  if (certFile !== undefined && keyFile !== undefined) return { certFile, keyFile };
  if (certFile === undefined && keyFile === undefined) return undefined;
  throw new UsageError("TLS requires both --tls-cert FILE and --tls-key FILE");
}

/** Parses `N` or `N/SIZE`. */
function readClientLimit(text: string | undefined) {
  if (text === undefined) return undefined;
  const [, requests, size] = /^(\d{1,6})(?:\/(.+))?$/.exec(text) ?? [];
  const bytesPerSecond = size === undefined ? undefined : parseBytes(size);
  if (requests === undefined || Number(requests) === 0 || bytesPerSecond === 0)
    throw new UsageError(`--limit-client ${text} is not valid; use N or N/SIZE, such as 16/50MB`);
  return { requests: Number(requests), bytesPerSecond };
}

/** Parses an address or host name. Node would take other text as every address of the machine, or as a path. */
function readHost(text: string): string {
  const host = text.replace(/^\[(.*)\]$/, "$1");
  const isName = /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/i.test(host) && /[a-z]/i.test(host);
  if (isIP(host) !== 0 || isName) return host;
  throw new UsageError(`--host ${text} is not an address; use one such as 127.0.0.1, and --port for the port`);
}

/** Returns whether only this machine can reach the address. Names except `localhost` may mean any address. */
function isLoopbackHost(host: string): boolean {
  if (isIP(host) === 0) return host.toLowerCase() === "localhost";
  return host === "::1" || /^(::ffff:)?127\./i.test(host);
}

function readPort(text: string): number {
  const port = Number(text);
  if (!/^\d{1,5}$/.test(text) || port > 65_535) throw new UsageError(`--port ${text} is not a port; use 0 to 65535`);
  return port;
}
