import { readdir } from "node:fs/promises";
import { type Cancellable, errorCode, isNotFound, MoteError, NilCache } from "@mote/core";
import type { PlacedFiles, UnpackOptions } from "@mote/layout";
import type { PullOptions } from "../mote.js";
import type { Parts } from "../parts.js";
import type { MoveReport } from "../transfers/move-report.js";
import type { Mover } from "../transfers/mover.js";
import { openImageFiles } from "./open-image-files.js";
import type { UnpackedImage, UnpackImageOptions } from "./unpacked-image.js";

/** Pulls an image and writes its root file system as `OpenMote.unpack` does. */
export async function unpackImage(
  {
    parts,
    mover,
    unpack,
  }: { readonly parts: Parts; readonly mover: Mover; readonly unpack: UnpackOptions | undefined },
  source: string,
  dir: string,
  { overwrite = false, platform, signal, onEvent, concurrency, connectionsPerBlob, maxRate }: UnpackImageOptions,
): Promise<UnpackedImage> {
  if (!overwrite) await assertEmpty(dir, { signal });
  await using files = await openImageFiles(parts, source, { platform, signal, unpack });
  const chosen = platform ?? files.chosenPlatform;
  const pulling: PullOptions = { platform: chosen, signal, onEvent, concurrency, connectionsPerBlob, maxRate };
  // Without a cache, the layers are read from the source.
  const report: MoveReport | undefined =
    parts.cache instanceof NilCache ? undefined : await mover.pull(source, undefined, pulling);
  const placed: PlacedFiles = await files.place(["/"], dir, { overwrite, signal });
  return { digest: files.digest, platform: chosen, report, placed };
}

/** @throws MOTE_EXISTS */
async function assertEmpty(dir: string, { signal }: Cancellable): Promise<void> {
  const names = await readdir(dir).catch((error: unknown) => {
    if (isNotFound(error) || errorCode(error) === "ENOENT") return [];
    if (errorCode(error) !== "ENOTDIR") throw error;
    throw new MoteError("MOTE_EXISTS", `${dir} is not a directory; choose another one`, {
      details: { path: dir, isReplaceable: false },
    });
  });
  signal?.throwIfAborted();
  if (names.length === 0) return;
  throw new MoteError("MOTE_EXISTS", `${dir} is not empty; choose an empty directory`, {
    details: { path: dir, isReplaceable: true },
  });
}
