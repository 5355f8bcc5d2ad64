import type { Parts } from "../parts.js";
import { readOrigin } from "../references/origin.js";
import { describeImage } from "./describe-image.js";
import { defined } from "./image-config.js";
import { readImage } from "./image-content.js";
import type { ChangedField, ComparedLayer, DiffOptions, ImageDiff } from "./image-diff.js";
import type { InspectedConfig, InspectedImage, InspectedLayer } from "./inspection.js";
import { pickOrChoose } from "./pick-image.js";

/** Compares two images as `OpenMote.diff` does. */
export async function diffImages(
  parts: Parts,
  references: readonly [string, string],
  options: DiffOptions,
): Promise<ImageDiff> {
  const first = await describe(parts, references[0], options);
  const second = await describe(parts, references[1], options);
  const [inFirst, inSecond] = [layersOf(first), layersOf(second)];
  const layers = [...new Map([...inFirst, ...inSecond]).values()].map((layer): ComparedLayer => {
    const { digest, size, mediaType, createdBy } = layer;
    const where = !inSecond.has(digest) ? "first" : inFirst.has(digest) ? "both" : "second";
    return defined<ComparedLayer>({ digest, size, mediaType, createdBy, in: where });
  });
  const bytesIn = (where: ComparedLayer["in"]) =>
    layers.reduce((sum, { in: is, size }) => sum + (is === where ? size : 0), 0);
  const sharedBytes = bytesIn("both");
  const compared = (image: InspectedImage, reference: string, unsharedBytes: number) =>
    defined({
      reference,
      digest: image.digest,
      platform: image.platform,
      bytes: sharedBytes + unsharedBytes,
      unsharedBytes,
    });
  return {
    images: [compared(first, references[0], bytesIn("first")), compared(second, references[1], bytesIn("second"))],
    layers,
    sharedBytes,
    config: changedFields(fieldsOf(first.config), fieldsOf(second.config)),
  };
}

async function describe(parts: Parts, reference: string, { platform, signal }: DiffOptions): Promise<InspectedImage> {
  const from = await readOrigin(parts.cache, parts.references, reference);
  const { image } = await readImage(from, parts, { platform, signal }, async (content) => {
    const { picked } = await pickOrChoose(content, reference, platform);
    const image = await describeImage(content, parts, picked.descriptor, picked.manifest, { readsConfig: true });
    return { image, warnings: [] };
  });
  return image;
}

function layersOf({ layers = [] }: InspectedImage): ReadonlyMap<string, InspectedLayer> {
  return new Map(layers.map((layer) => [layer.digest, layer]));
}

/** Returns the fields that say how an image is run; not when and how it was built. */
function fieldsOf(config: InspectedConfig | undefined): ReadonlyMap<string, string> {
  if (config === undefined) return new Map();
  const { user, entrypoint, cmd, workingDir, stopSignal, exposedPorts, volumes, env = [], labels = {} } = config;
  const fields: [string, string | undefined][] = [
    ["user", user],
    ["entrypoint", entrypoint && JSON.stringify(entrypoint)],
    ["cmd", cmd && JSON.stringify(cmd)],
    ["workingDir", workingDir],
    ["stopSignal", stopSignal],
    ["exposedPorts", exposedPorts?.join(", ")],
    ["volumes", volumes?.join(", ")],
    ...env.map((text): [string, string] => {
      const [name = ""] = text.split("=", 1);
      return [`env ${name}`, text.slice(name.length + 1)];
    }),
    ...Object.entries(labels).map(([name, text]): [string, string] => [`label ${name}`, text]),
  ];
  return new Map(fields.flatMap(([name, value]): [string, string][] => (value === undefined ? [] : [[name, value]])));
}

function changedFields(first: ReadonlyMap<string, string>, second: ReadonlyMap<string, string>): ChangedField[] {
  return [...new Set([...first.keys(), ...second.keys()])]
    .filter((field) => first.get(field) !== second.get(field))
    .map((field) => defined<ChangedField>({ field, first: first.get(field), second: second.get(field) }));
}
