import type { Logger } from "@mote/core";
import type { UnpackOptions } from "@mote/layout";
import type { Hosts, hostCertificates, Mirrors, RegistryClientOptions } from "@mote/registry";
import type { References } from "../references/references.js";
import type { MoteTransport } from "./transports.js";

/** How registries are reached, beside what each reference says. Hosts are written as in references: `host`, `host:port`. */
export interface RegistriesOptions {
  /** Certificate authorities in PEM, in place of those of Node, `SSL_CERT_FILE`, `SSL_CERT_DIR` and the system. */
  readonly ca?: string | Uint8Array | readonly (string | Uint8Array)[] | undefined;
  /** A client's certificate and key in PEM. */
  readonly cert?: string | Uint8Array | undefined;
  readonly key?: string | Uint8Array | undefined;
  /** Folders with certificates by host, as Docker has them (`HOST/*.crt`, `HOST/NAME.cert`, `HOST/NAME.key`). Default: those of Docker and Podman. */
  readonly certsDirs?: readonly string[] | undefined;
  /** Trust any certificate, of all hosts or of these. */
  readonly insecure?: Hosts | undefined;
  /**
   * Mirrors to pull from before the registry itself, in their order: by `HOST` or `HOST/PATH`, of which the longest that matches
   * counts, each as `[http://|https://]HOST[/PATH]`. What is pulled goes by its own name; pushes go to the registry itself.
   */
  readonly mirrors?: Mirrors | undefined;
  /** Default 10,000. */
  readonly connectTimeoutMs?: number | undefined;
  /** How long the head of a response to a GET or HEAD may take. Default: `idleTimeoutMs` where that is given, else 30,000. */
  readonly answerTimeoutMs?: number | undefined;
  /** How long nothing may come. Default 60,000. */
  readonly idleTimeoutMs?: number | undefined;
  /** Least bytes per second of a response, on average over `idleTimeoutMs`. Default 1024. 0: no bound. */
  readonly minBytesPerSecond?: number | undefined;
  /** How often a request is repeated after a transient error. Default 4. */
  readonly retries?: number | undefined;
  /**
   * Milliseconds that a registry is tried, with retries, mirrors and its token service, for an image that the cache has complete under
   * the same name; then the stored one is used, with a warning. Default 7,000.
   */
  readonly fallbackAfterMs?: number | undefined;
  /** Requests to one host at the same time that wait for a response. Default 16. */
  readonly concurrency?: number | undefined;
}

export function connectionOptions(
  { mirrors: _, certsDirs: folders, fallbackAfterMs: __, ...connections }: RegistriesOptions,
  certificatesIn: typeof hostCertificates,
): RegistryClientOptions {
  return { ...connections, certificates: certificatesIn({ ...(folders === undefined ? {} : { folders }) }) };
}

/** What the locations of references are opened with. */
export interface EndpointsOptions {
  readonly references: References<MoteTransport>;
  readonly plainHttp?: Hosts | undefined;
  readonly registries?: RegistriesOptions | undefined;
  readonly unpack?: UnpackOptions | undefined;
  /** Contact no registry. */
  readonly offline?: boolean | undefined;
  readonly logger: Logger;
}
