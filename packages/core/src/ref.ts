import type { Digest } from "./digest.js";

/** A location on a registry, normalised: `docker.io` and `library/` are written out. */
export interface RegistryRef {
  readonly transport: "docker";
  /** Host, and port where one was written. */
  readonly registry: string;
  readonly repository: string;
  readonly tag?: string;
  readonly digest?: Digest;
  /** Set where the reference was written with one: whether to speak TLS. */
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

/** Transports that a program adds to the table: it declares their names here, by declaration merging. */
// biome-ignore lint/suspicious/noEmptyInterface: declaration merging needs an interface.
export interface AddedTransports {}

export type PathTransport = (typeof pathTransports)[number] | Extract<keyof AddedTransports, string>;

/** Any other location. */
export interface PathRef {
  readonly transport: PathTransport;
  /**
   * A path of the file system; in `docker-daemon` and `containers-storage` an image's name, written out; in `hash` the
   * algorithm, a slash, and the encoded part.
   */
  readonly path: string;
  /** The name within the location: in a layout `org.opencontainers.image.ref.name`, in `docker-archive` a whole Docker reference. */
  readonly tag?: string;
  readonly digest?: Digest;
  /** Which manifest of several, counted from 0 (`:@0`). */
  readonly index?: number;
}

export type Ref = RegistryRef | PathRef;

/** Reads and writes references. Injected; implemented by `@mote/ref`. */
export interface RefCodec {
  /** @throws MOTE_INVALID_REFERENCE */
  parse(text: string): Ref;
  /**
   * The canonical text, read as the same again. `scheme: true` puts the transport in front always (`docker://…`), `false`
   * never; by default it stands where the text would be read otherwise without it (`oci:…`, `http://…`).
   */
  format(ref: Ref, options?: { readonly scheme?: boolean | undefined }): string;
  /** The transport under which locations of `ref` are recorded: `transportFromImageName` of `@mote/ref`. */
  transport(ref: string): string;
  /** All transports that locations are recorded under. */
  readonly transports: readonly string[];
}
