import { createReadStream } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { createDigester, type Digest } from "@mote/core";
import { builtInEncoders, type Encoder } from "@mote/delta";
import { type PullImage, writeImage } from "../pull/images.js";
import { MoteTool } from "../pull/mote-tool.js";
import type { TarPair } from "./package-pairs.js";

/** As crane, skopeo and zlib compress. */
const encoderNames = ["gzip:go1.26-1", "gzip:pgzip1.20.4-5", "gzip:zlib-6"];

/** The tags of an image of one layer for each pair: of the old tars, of the new ones, and of the new ones compressed by other programs. */
export const tags = { old: "1", new: "2", recompressed: "2-other" };

/** Pushes the three images. Returns the bytes of the new tars. */
export async function pushImages(folder: string, repository: string, pairs: readonly TarPair[]): Promise<number> {
  await using encoders = builtInEncoders();
  const encoder = (at: number): Encoder => {
    const name = encoderNames[at % encoderNames.length];
    const found = encoders.list.find((each) => each.name === name);
    if (found === undefined) throw new Error(`there is no encoder ${name}`);
    return found;
  };
  const tool = new MoteTool(join(folder, "pushing"));
  const push = async (tag: string, tars: readonly string[], shift: number) => {
    const layout = join(folder, tag);
    const described = await Promise.all(tars.map(describeTar));
    const image: PullImage = {
      ...{ title: tag, name: tag, megabytes: 0, diffIds: described.map(({ digest }) => digest) },
      async *layers() {
        for (const [at, tar] of tars.entries()) yield encoder(at + shift).encode(readTar(tar));
      },
    };
    await writeImage(layout, image);
    await tool.push(layout, `${repository}:${tag}`);
    await rm(layout, { recursive: true });
    return described.reduce((sum, { bytes }) => sum + bytes, 0);
  };
  const fresh = pairs.map((pair) => pair.fresh);
  await push(
    tags.old,
    pairs.map((pair) => pair.old),
    0,
  );
  await push(tags.recompressed, fresh, 1);
  const tarBytes = await push(tags.new, fresh, 0);
  await rm(tool.cache, { recursive: true });
  return tarBytes;
}

const readTar = (path: string) => createReadStream(path, { highWaterMark: 256 * 1024 });

async function describeTar(path: string): Promise<{ readonly digest: Digest; readonly bytes: number }> {
  const digester = createDigester();
  let bytes = 0;
  for await (const chunk of readTar(path)) {
    digester.update(chunk);
    bytes += chunk.length;
  }
  return { digest: digester.digest(), bytes };
}
