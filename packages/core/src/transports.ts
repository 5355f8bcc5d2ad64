import type { Ref } from "./ref.js";

export interface TransportParseOptions {
  /** The home folder, which replaces a leading `~` of a path. Default: `~` is not replaced. */
  readonly home?: string | undefined;
}

/** A row of the table of transports. How a location is opened is defined elsewhere. */
export interface Transport {
  readonly name: Ref["transport"];
  /** The prefix of its references, such as `docker://` or `oci:`. Added transports have the prefix `NAME://`. */
  readonly prefix: string;
  /** Parses what follows the prefix, from `start` to the end of `text`. @throws MOTE_INVALID_REFERENCE */
  parse(text: string, start: number, options: TransportParseOptions): Ref;
  /** Formats what follows the prefix, so that `parse` returns the same reference. */
  format(ref: Ref): string;
  /** The transport under which locations are recorded in a blob-info cache. */
  readonly recordedAs: string;
  /** Whether its path is a file or a folder, if it is a path of the file system. */
  readonly path?: "file" | "folder";
  /** Whether content can be read from it. */
  readonly reads: boolean;
  /** Whether content can be written to it. */
  readonly writes: boolean;
  /** Whether it holds several images with names. */
  readonly holdsMany: boolean;
  /** Whether content can be found by its digest, without the name of its image. */
  readonly byDigest: boolean;
  /** Whether its names are full registry references. Default false. */
  readonly fullNames?: boolean;
  /** Its line in help and completion. */
  readonly usage?: TransportUsage;
  /** Returns what to use instead, for a message. */
  instead?(ref: Ref): string;
}

export interface TransportUsage {
  /** The syntax, with placeholders in capitals: `oci:DIR:TAG`. */
  readonly form: string;
  readonly meaning: string;
}
