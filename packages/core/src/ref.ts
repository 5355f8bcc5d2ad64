import type { Digest } from "./digest.js";

/** A normalized location on a registry: `docker.io` and `library/` are explicit. */
export interface RegistryRef {
  readonly transport: "docker";
  /** The host, with the port if the reference has one. */
  readonly registry: string;
  readonly repository: string;
  readonly tag?: string;
  readonly digest?: Digest;
  /** Set if the reference has a scheme; `http` means without TLS. */
  readonly scheme?: "http" | "https";
}

/** The transports other than `docker`, by the names that references begin with. */
export const pathTransports = [
  "oci",
  "oci-archive",
  "docker-archive",
  "dir",
  "tarball",
  "docker-daemon",
  "containers-storage",
  "ocidir",
  "hash",
] as const;

/** The names of transports that a program adds to the table, by declaration merging. */
// biome-ignore lint/suspicious/noEmptyInterface: declaration merging needs an interface.
export interface AddedTransports {}

export type PathTransport = (typeof pathTransports)[number] | Extract<keyof AddedTransports, string>;

/** Any other location. */
export interface PathRef {
  readonly transport: PathTransport;
  /**
   * A path of the file system; for `docker-daemon` and `containers-storage` the full name of an image; for `hash` the algorithm, a slash, and
   * the encoded part.
   */
  readonly path: string;
  /** The name within the location: `org.opencontainers.image.ref.name` in a layout, a full Docker reference in a `docker-archive`. */
  readonly tag?: string;
  readonly digest?: Digest;
  /** The position of the manifest, counted from 0 (`:@0`). */
  readonly index?: number;
}

export type Ref = RegistryRef | PathRef;

/** Formats a location for messages and as a key: without tag and digest. */
export function formatLocation(ref: Ref): string {
  return ref.transport === "docker" ? `${ref.registry}/${ref.repository}` : `${ref.transport}:${ref.path}`;
}

/** Parses a recorded reference. Returns undefined if it is not valid. */
export function parseRefIfValid(refCodec: RefCodec, text: string): Ref | undefined {
  try {
    return refCodec.parse(text);
  } catch {
    return undefined;
  }
}

/** Parses and formats references. `@mote/ref` implements it. */
export interface RefCodec {
  /** @throws MOTE_INVALID_REFERENCE */
  parse(text: string): Ref;
  /**
   * Formats a reference canonically. `scheme: true` always includes the transport (`docker://…`), `false` never does; by default it is
   * included if `parse` needs it (`oci:…`, `http://…`).
   */
  format(ref: Ref, options?: { readonly scheme?: boolean | undefined }): string;
  /** Returns the transport under which locations of `ref` are recorded: `transportFromImageName` of `@mote/ref`. */
  transport(ref: string): string;
  /** All transports under which locations are recorded. */
  readonly transports: readonly string[];
}
