import { resolve as resolvePath } from "node:path";
import {
  type BlobOptions,
  type Cancellable,
  type ContentSource,
  type Descriptor,
  digestAlgorithm,
  digestBytes,
  digestEncoded,
  ifFound,
  isNotFound,
  MoteError,
  type MoteReader,
  maxManifestBytes,
  type PathRef,
  parseDigest,
  type Ref,
  sniffManifestType,
} from "@mote/core";
import { openBlob } from "../disk/blob-reader.js";
import { FolderFiles, readSmallFile } from "../disk/named-files.js";
import { selectorOf } from "../oci/selector.js";
import { assertDirVersion, dirInstanceName } from "./dir-content.js";

/** A folder in the format of skopeo's `dir` transport as a source. It holds one unnamed image. */
export class DirSource implements ContentSource {
  readonly ref: PathRef;
  readonly mayLackBlobs = true;
  readonly #files: FolderFiles;

  constructor(dir: string) {
    const path = resolvePath(dir);
    this.ref = { transport: "dir", path };
    this.#files = new FolderFiles(path);
  }

  /** Resolves the only image, whatever its name; a digest must match. @throws MOTE_NOT_FOUND · MOTE_UNSUPPORTED_FORMAT */
  async resolve(ref: Ref | string, options: Cancellable = {}): Promise<Descriptor> {
    const wanted = selectorOf(ref).digest;
    await this.#assertVersion(options);
    const bytes = await readSmallFile(this.#files, "manifest.json", { ...options, maxBytes: maxManifestBytes });
    const digest = digestBytes(bytes, wanted && digestAlgorithm(wanted));
    if (wanted !== undefined && wanted !== digest) {
      throw new MoteError("MOTE_NOT_FOUND", `the image in ${this.#files.location} is ${digest}, not ${wanted}`, {
        details: { path: this.#files.location, digest },
      });
    }
    return { mediaType: sniffManifestType(bytes), digest, size: bytes.byteLength };
  }

  /** @throws MOTE_NOT_FOUND · MOTE_TOO_LARGE · MOTE_CORRUPT */
  async manifest({ digest }: Descriptor, options: Cancellable = {}): Promise<Uint8Array> {
    parseDigest(digest);
    const bounds = { ...options, maxBytes: maxManifestBytes };
    const isIt = (bytes: Uint8Array) => digestBytes(bytes, digestAlgorithm(digest)) === digest;
    const { location } = this.#files;
    const details = { path: location, digest };
    const bytes = await ifFound(readSmallFile(this.#files, dirInstanceName(digest), bounds));
    if (bytes !== undefined && isIt(bytes)) return bytes;
    if (bytes !== undefined)
      throw new MoteError("MOTE_CORRUPT", `the manifest ${digest} in ${location} is corrupt`, { details });
    const own = await readSmallFile(this.#files, "manifest.json", bounds);
    if (isIt(own)) return own;
    throw new MoteError("MOTE_NOT_FOUND", `${location} does not have the manifest ${digest}`, { details });
  }

  /** Chunks of 1 MiB. @throws MOTE_NOT_FOUND · MOTE_IO · MOTE_CORRUPT while reading */
  async blob(descriptor: Descriptor, options: BlobOptions = {}): Promise<MoteReader> {
    return openBlob(this.#files, digestEncoded(parseDigest(descriptor.digest)), descriptor, options);
  }

  async #assertVersion(options: Cancellable): Promise<void> {
    const { location } = this.#files;
    const bytes = await readSmallFile(this.#files, "version", { ...options, maxBytes: 4096 }).catch(
      async (cause: unknown) => {
        if (!isNotFound(cause)) throw cause;
        await this.#files.assertThere();
        const message = `${location} is not a dir: image: it has no file named version; check the path`;
        throw new MoteError("MOTE_UNSUPPORTED_FORMAT", message, { cause, details: { path: location } });
      },
    );
    assertDirVersion(new TextDecoder().decode(bytes), location);
  }
}
