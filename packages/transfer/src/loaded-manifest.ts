import type { Descriptor, Manifest } from "@mote/core";

/** A manifest that was read, and where its bytes came from. */
export interface LoadedManifest {
  /** Its media type is the one that the manifest itself has. */
  readonly descriptor: Descriptor;
  readonly bytes: Uint8Array;
  readonly manifest: Manifest;
  readonly from: "cache" | "source" | "data";
  /** Its media type is not known: it is moved without what it may refer to. */
  readonly isOpaque?: boolean | undefined;
}
