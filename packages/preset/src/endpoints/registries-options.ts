import type { Logger } from "@mote/core";
import type { UnpackOptions } from "@mote/layout";
import type { Hosts, hostCertificates, Mirrors, RegistryClientOptions } from "@mote/registry";
import type { References } from "../references/references.js";
import type { MoteTransport } from "./transports.js";

/** Connection settings for registries. Hosts as in references: `host`, `host:port`. */
export interface RegistriesOptions {
  /** Certificate authorities in PEM, replacing those of Node, `SSL_CERT_FILE`, `SSL_CERT_DIR` and the system. */
  readonly ca?: string | Uint8Array | readonly (string | Uint8Array)[] | undefined;
  /** A client certificate and key in PEM. */
  readonly cert?: string | Uint8Array | undefined;
  readonly key?: string | Uint8Array | undefined;
  /** Folders with per-host certificates (`HOST/*.crt`, `HOST/NAME.cert`, `HOST/NAME.key`). Default: those of Docker and Podman. */
  readonly certsDirs?: readonly string[] | undefined;
  /** Trust any certificate, for all hosts or these. */
  readonly insecure?: Hosts | undefined;
  /**
   * Mirrors to pull from before the registry itself, in order, by `HOST` or `HOST/PATH`; the longest match wins. Each is
   * `[http://|https://]HOST[/PATH]`. Images keep their own names, and pushes go to the registry itself.
   */
  readonly mirrors?: Mirrors | undefined;
  /** Default 10,000. */
  readonly connectTimeoutMs?: number | undefined;
  /** Time limit for the head of a response to a GET or HEAD. Default: `idleTimeoutMs` if it is set, else 30,000. */
  readonly answerTimeoutMs?: number | undefined;
  /** Idle timeout of a response. Default 60,000. */
  readonly idleTimeoutMs?: number | undefined;
  /** Minimum bytes per second of a response, averaged over `idleTimeoutMs`. Default 1024. 0: no minimum. */
  readonly minBytesPerSecond?: number | undefined;
  /** Retries after a temporary error. Default 4. */
  readonly retries?: number | undefined;
  /**
   * How long a registry is tried, including retries, mirrors and its token service, if the cache has the complete image under the same
   * name. Then the cached image is used, with a warning. Default 7,000.
   */
  readonly fallbackAfterMs?: number | undefined;
  /** Requests per host that wait for a response concurrently. Default 16. */
  readonly concurrency?: number | undefined;
}

export function connectionOptions(
  { mirrors: _, certsDirs: folders, fallbackAfterMs: __, ...connections }: RegistriesOptions,
  certificatesIn: typeof hostCertificates,
): RegistryClientOptions {
  return { ...connections, certificates: certificatesIn({ ...(folders === undefined ? {} : { folders }) }) };
}

/** Options for opening the locations of references. */
export interface EndpointsOptions {
  readonly references: References<MoteTransport>;
  readonly plainHttp?: Hosts | undefined;
  readonly registries?: RegistriesOptions | undefined;
  readonly unpack?: UnpackOptions | undefined;
  /** Never contact a registry. */
  readonly offline?: boolean | undefined;
  readonly logger: Logger;
}
