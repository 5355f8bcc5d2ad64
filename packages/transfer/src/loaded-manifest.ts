import type { Descriptor, Manifest } from "@mote/core";

/** A parsed manifest and the origin of its bytes. */
export interface LoadedManifest {
  /** With the media type of the manifest itself. */
  readonly descriptor: Descriptor;
  readonly bytes: Uint8Array;
  readonly manifest: Manifest;
  readonly from: "cache" | "source" | "data";
  /** Whether its media type is unknown, so that it is moved without what it may refer to. */
  readonly isOpaque?: boolean | undefined;
}
