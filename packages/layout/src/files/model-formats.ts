import { type Descriptor, type ImageManifest, parseRecord } from "@mote/core";
import { titleAnnotation } from "./artifact-title.js";
import { distinctNames } from "./distinct-names.js";
import { suggestTitle } from "./suggested-title.js";

/** ModelPack's model-spec, annotations.md; Docker Model Runner uses them too. */
const pathAnnotation = "org.cncf.model.filepath";
const metadataAnnotation = "org.cncf.model.file.metadata+json";
const maxMetadataLength = 4096;

/** A part of a model: a file, or a tar of files whose names begin at the model's root. */
export interface ModelPart {
  /** As in the manifest, so possibly not valid, or generated. */
  readonly name: string;
  readonly descriptor: Descriptor;
  readonly isArchive: boolean;
  readonly isProgram: boolean;
}

interface ModelFormat {
  /** Of the media types of its layers, and usually of its config and its artifact type. */
  readonly prefix: string;
  /** File names by the rest of the media type; the first match wins. Other layers are named like the rest. */
  readonly names: readonly (readonly [RegExp, string])[];
  /** Whether the config is a file of the model. */
  readonly hasConfigFile?: boolean;
}

const archive = /\.tar(?:\+\w+)?$/;

/** To recognize another format, add it here. */
const formats: readonly ModelFormat[] = [
  {
    // Ollama. Its config has the media type of Docker's image configs.
    prefix: "application/vnd.ollama.image.",
    names: [
      [/^model$/, "model.gguf"],
      [/^(?:projector|adapter|draft)$/, "$&.gguf"],
      [/^prompt$/, "template"],
      [/^(?:params|messages)$/, "$&.json"],
      [/^tensor$/, "tensor.safetensors"],
      [/^json$/, "config.json"],
    ],
  },
  {
    // Docker Model Runner, and its model-spec.
    prefix: "application/vnd.docker.ai.",
    names: [
      [/^gguf\.v\d+$/, "model.gguf"],
      [/^gguf\.v\d+\.lora$/, "adapter.gguf"],
      [/^(?:gguf\.v\d+\.)?mmproj$/, "mmproj.gguf"],
      [/^(?:safetensors|dduf)$/, "model.$&"],
      [/^chat\.template\.jinja$/, "template.jinja"],
      [/^model\.file$/, "file"],
    ],
  },
  {
    // ModelPack; `gguf` and `safetensors` are of earlier releases of Docker Model Runner.
    prefix: "application/vnd.cncf.model.",
    names: [
      [/^weight\.v1\.(gguf|safetensors)$/, "model.$1"],
      [/^weight\.v1\..*$/, "model"],
      [/^weight\.config\.v1\..*$/, "config"],
    ],
  },
  {
    // KitOps. The config is the Kitfile as JSON, which is valid YAML.
    prefix: "application/vnd.kitops.modelkit.",
    names: [[/^config\.v1\+json$/, "Kitfile"]],
    hasConfigFile: true,
  },
];

/** Returns the parts of a model, with different names. Undefined if the manifest has none of the known formats. */
export function modelParts(manifest: ImageManifest): readonly ModelPart[] | undefined {
  const { config, artifactType, layers } = manifest;
  const types = [artifactType, config?.mediaType, ...layers.map(({ mediaType }) => mediaType)];
  const format = formats.find(({ prefix }) => types.some((type) => type?.startsWith(prefix)));
  if (format === undefined) return undefined;
  const files = format.hasConfigFile && config !== undefined ? [config, ...layers] : layers;
  const names = distinctNames(
    files.map((file) => {
      const name = ownName(file);
      return { name: name ?? generatedName(file, manifest, format), isFixed: name !== undefined };
    }),
  );
  return files.map(
    (descriptor, at): ModelPart => ({
      name: names[at] ?? "",
      descriptor,
      isArchive: isArchive(descriptor, format),
      isProgram: isProgram(descriptor),
    }),
  );
}

function isArchive({ mediaType }: Descriptor, { prefix }: ModelFormat): boolean {
  return mediaType.startsWith(prefix) && archive.test(mediaType);
}

/** Returns the name that the manifest gives a layer, if any. */
function ownName(layer: Descriptor): string | undefined {
  const { mediaType, annotations = {} } = layer;
  const annotated = annotations[pathAnnotation] || annotations[titleAnnotation];
  if (annotated) return annotated;
  // Ollama's layers of tensors and JSON files have a field `name`.
  const name = "name" in layer ? layer.name : undefined;
  if (typeof name !== "string" || name === "") return undefined;
  return mediaType.endsWith(".tensor") ? `${name}.safetensors` : name;
}

function generatedName(layer: Descriptor, manifest: ImageManifest, { prefix, names }: ModelFormat): string {
  const { mediaType } = layer;
  if (!mediaType.startsWith(prefix)) return suggestTitle(layer, { ...manifest, annotations: {} });
  const kind = mediaType.slice(prefix.length, prefix.length + 100);
  const row = names.find(([pattern]) => pattern.test(kind));
  const name = row === undefined ? kind.replace(/\.v\d.*$/, "") : kind.replace(...row);
  return name.replace(/[^\w.]+/g, "-").replace(/^[-.]+|[-.]+$/g, "") || "file";
}

function isProgram({ annotations = {} }: Descriptor): boolean {
  const metadata = annotations[metadataAnnotation] ?? "";
  const mode = metadata.length > maxMetadataLength ? undefined : parseRecord(metadata)?.mode;
  return typeof mode === "number" && (mode & 0o100) !== 0;
}
