import type { Ref } from "./ref.js";

export interface TransportParseOptions {
  /** The folder that `~` at the front of a path stands for. Without it `~` stays. */
  readonly home?: string | undefined;
}

/** One row of the table of transports: all that is to be known of one kind of location but how it is opened. */
export interface Transport {
  readonly name: Ref["transport"];
  /** What its references begin with: `docker://`, or for a path `oci:`. One that is added to the table begins with `NAME://`. */
  readonly prefix: string;
  /** Reads what follows the prefix, from `start` to the end of `text`. @throws MOTE_INVALID_REFERENCE */
  parse(text: string, start: number, options: TransportParseOptions): Ref;
  /** Returns what follows the prefix; `parse` reads it as the same. */
  format(ref: Ref): string;
  /** The transport under which a blob-info cache records its locations. */
  readonly recordedAs: string;
  /** What its path is, if it is a path of the file system. */
  readonly path?: "file" | "folder";
  /** Whether content is read from it. */
  readonly reads: boolean;
  /** Whether content is written to it. */
  readonly writes: boolean;
  /** Whether it holds many images, each with a name of its own. */
  readonly holdsMany: boolean;
  /** Whether content is found by its digest alone, without its image's name. */
  readonly byDigest: boolean;
  /** Whether the names in it are references of registries. Default false. */
  readonly fullNames?: boolean;
  /** Its line in help and completion. */
  readonly usage?: TransportUsage;
  /** Returns what to use in its place, for a message. */
  instead?(ref: Ref): string;
}

export interface TransportUsage {
  /** Its prefix, with what follows in capitals: `oci:DIR:TAG`. */
  readonly form: string;
  readonly meaning: string;
}
