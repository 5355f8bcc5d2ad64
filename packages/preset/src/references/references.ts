import { resolve } from "node:path";
import { MoteError, type Ref, type RefCodec, type Transport } from "@mote/core";
import { assertMovable, createRefCodec, knownTransports, parseRef, type TransportTable } from "@mote/ref";
import { homeFor } from "./home-paths.js";

/** References as people and the cache write them, over one table of transports. */
export class References<Row extends Transport = Transport> {
  readonly transports: TransportTable<Row>;
  readonly codec: RefCodec;
  /** The codec for the blob-info cache, with absolute paths. */
  readonly absoluteCodec: RefCodec;

  constructor(transports: TransportTable<Row>) {
    this.transports = transports;
    this.codec = createRefCodec(transports);
    this.absoluteCodec = { ...this.codec, parse: (text) => this.#absolute(this.codec.parse(text)) };
  }

  /** Parses a reference as a person writes it: `~` at the front of a path is the home folder. @throws MOTE_INVALID_REFERENCE */
  parse(text: string): Ref {
    return parseRef(text, { home: homeFor(text), transports: this.transports });
  }

  /** @throws MOTE_INVALID_REFERENCE · MOTE_UNSUPPORTED_TRANSPORT */
  parseMovable(text: string, as: "source" | "destination"): Ref {
    const ref = this.parse(text);
    assertMovable(ref, { as, transports: this.transports });
    return ref;
  }

  /** Parses a text; undefined if it is not a reference. */
  tryParse(text: string): Ref | undefined {
    return orUndefined(() => this.parse(text));
  }

  /** Returns where an image with this name came from, if content is read from there. */
  sourceOf(name: string): Ref | undefined {
    return orUndefined(() => {
      const ref = this.codec.parse(name);
      assertMovable(ref, { as: "source", transports: this.transports });
      return ref;
    });
  }

  /** Returns the reference in full, with its transport. */
  format(ref: Ref): string {
    return this.codec.format(ref, { scheme: true });
  }

  /** Returns what the cache calls an image: a registry's reference without `docker://`; of anything else the whole, with its full path. */
  nameInCache(ref: Ref): string {
    if (ref.transport !== "docker") return this.format(this.#absolute(ref));
    const { scheme: _, ...named } = ref;
    return this.codec.format(named);
  }

  /** Returns the reference with its full path, unless that has a colon, which would be read as the beginning of a name. */
  formatAbsolute(ref: Ref): string {
    const full = this.#absolute(ref);
    const text = this.format(full);
    const read = orUndefined(() => this.codec.parse(text));
    const isSame = read !== undefined && "path" in read && "path" in full && read.path === full.path;
    return isSame ? text : this.format(ref);
  }

  /** Whether the destination is a stream: stdout is not a name that content is found under again. */
  isStream(ref: Ref): boolean {
    return ref.transport !== "docker" && ref.path === "-";
  }

  #absolute(ref: Ref): Ref {
    const isPath = ref.transport !== "docker" && this.transports.of(ref).path !== undefined;
    return isPath ? { ...ref, path: resolve(ref.path) } : ref;
  }
}

/** Those of the transports that mote knows. */
export const knownReferences: References = new References(knownTransports);

/** Parses a reference as `References.parse` does, over the transports that mote knows. @throws MOTE_INVALID_REFERENCE */
export function parsePersonalRef(text: string): Ref {
  return knownReferences.parse(text);
}

/** Returns the same location with only another tag. */
export function otherTag(ref: Ref, tag: string): Ref {
  if (ref.transport !== "docker") return { transport: ref.transport, path: ref.path, tag };
  const { digest: _, ...location } = ref;
  return { ...location, tag };
}

/** Returns the location of a reference, without tag, digest and index. */
export function locationOf(ref: Ref): Ref {
  if (ref.transport !== "docker") return { transport: ref.transport, path: ref.path };
  const { tag: _, digest: __, ...location } = ref;
  return location;
}

function orUndefined<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (MoteError.isInstance(error)) return undefined;
    throw error;
  }
}
