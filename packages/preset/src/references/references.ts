import { resolve } from "node:path";
import { MoteError, type Ref, type RefCodec, type Transport } from "@mote/core";
import { assertMovable, createRefCodec, knownTransports, parseRef, type TransportTable } from "@mote/ref";
import { homeFor } from "./home-paths.js";

/** Parses and formats references as users and the cache write them. */
export class References<Row extends Transport = Transport> {
  readonly transports: TransportTable<Row>;
  readonly codec: RefCodec;
  /** The codec of the blob-info cache, with absolute paths. */
  readonly absoluteCodec: RefCodec;

  constructor(transports: TransportTable<Row>) {
    this.transports = transports;
    this.codec = createRefCodec(transports);
    this.absoluteCodec = { ...this.codec, parse: (text) => this.#absolute(this.codec.parse(text)) };
  }

  /** Parses a reference from a user: a leading `~` in a path is the home folder. @throws MOTE_INVALID_REFERENCE */
  parse(text: string): Ref {
    return parseRef(text, { home: homeFor(text), transports: this.transports });
  }

  /** @throws MOTE_INVALID_REFERENCE · MOTE_UNSUPPORTED_TRANSPORT */
  parseMovable(text: string, as: "source" | "destination"): Ref {
    const ref = this.parse(text);
    assertMovable(ref, { as, transports: this.transports });
    return ref;
  }

  /** Parses a reference; undefined if it is invalid. */
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

  /** Returns the full reference, with its transport. */
  format(ref: Ref): string {
    return this.codec.format(ref, { scheme: true });
  }

  /** Returns what the cache calls an image: a registry's reference without `docker://`; of anything else the whole, with its full path. */
  nameInCache(ref: Ref): string {
    if (ref.transport !== "docker") return this.format(this.#absolute(ref));
    const { scheme: _, ...named } = ref;
    return this.codec.format(named);
  }

  /** Returns the reference with an absolute path, unless that contains a colon, which would begin a name. */
  formatAbsolute(ref: Ref): string {
    const full = this.#absolute(ref);
    const text = this.format(full);
    const read = orUndefined(() => this.codec.parse(text));
    const isSame = read !== undefined && "path" in read && "path" in full && read.path === full.path;
    return isSame ? text : this.format(ref);
  }

  /** Returns whether the destination is stdout, which cannot be read again later. */
  isStream(ref: Ref): boolean {
    return ref.transport !== "docker" && ref.path === "-";
  }

  #absolute(ref: Ref): Ref {
    const isPath = ref.transport !== "docker" && this.transports.of(ref).path !== undefined;
    return isPath ? { ...ref, path: resolve(ref.path) } : ref;
  }
}

/** References of the built-in transports. */
export const knownReferences: References = new References(knownTransports);

/** Parses a reference of a built-in transport, as `References.parse` does. @throws MOTE_INVALID_REFERENCE */
export function parsePersonalRef(text: string): Ref {
  return knownReferences.parse(text);
}

/** Returns the location with another tag. */
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
