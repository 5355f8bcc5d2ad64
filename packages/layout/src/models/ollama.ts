import { type Descriptor, digestAlgorithm, digestEncoded, type Manifest, MoteError } from "@mote/core";
import type { ArrangedFiles } from "../files/arranged-files.js";
import type { ModelName, ModelTool } from "./model-tool.js";
import { setting, unusableName } from "./tool-settings.js";

const layerType = "application/vnd.ollama.image.";
const maxPartLength = 80;
const ownRegistry = "registry.ollama.ai";
const ownNamespace = "library";

/**
 * Ollama, by its documentation and its source (`manifest/paths.go`, `types/model/name.go`): `manifests/HOST/NAMESPACE/MODEL/TAG` has the
 * manifest as the registry sent it, and `blobs/sha256-HEX` the blobs. Blobs that no manifest refers to are removed by Ollama when it starts.
 */
export const ollama: ModelTool = {
  name: "ollama",
  needsAllFiles: true,
  folder: (env, { home }) => setting(env.OLLAMA_MODELS) ?? (home && `${home}/.ollama/models`),
  place(model) {
    const parts = partsOf(model);
    const { registry, namespace, name, tag } = parts;
    const path = `manifests/${registry}/${namespace}/${name}/${tag}`;
    return { name: shortName(parts), folder: ".", arrange: (manifest) => arrange(manifest, path) };
  },
};

interface NameParts {
  readonly registry: string;
  readonly namespace: string;
  readonly name: string;
  readonly tag: string;
}

function partsOf(model: ModelName): NameParts {
  const { registry, repository, tag = "latest" } = model;
  const [name = "", namespace = ownNamespace, ...others] = repository.split("/").reverse();
  const isValid =
    others.length === 0 &&
    /^\w[\w.:-]*$/.test(registry) &&
    [namespace, name, tag].every((part) => part.length <= maxPartLength) &&
    /^\w[\w-]*$/.test(namespace) &&
    [name, tag].every((part) => /^\w[\w.-]*$/.test(part));
  if (isValid) return { registry, namespace, name, tag };
  const form = `HOST/NAMESPACE/MODEL:TAG, without dots in NAMESPACE and with at most ${maxPartLength} characters each`;
  throw unusableName(`${registry}/${repository}:${tag}`, `names of Ollama have the form ${form}`);
}

/** Returns the name as `ollama list` shows it. */
function shortName({ registry, namespace, name, tag }: NameParts): string {
  if (registry !== ownRegistry) return `${registry}/${namespace}/${name}:${tag}`;
  return namespace === ownNamespace ? `${name}:${tag}` : `${namespace}/${name}:${tag}`;
}

function arrange(manifest: Manifest, path: string): ArrangedFiles {
  if (manifest.kind === "index" || !manifest.layers.some(({ mediaType }) => mediaType.startsWith(layerType))) {
    throw new MoteError(
      "MOTE_NOT_FILES",
      `this is not an Ollama model: it has no layers of type ${layerType}*; pull its files into a directory such as ./DIR/`,
    );
  }
  const { config, layers } = manifest;
  const blobs = new Map((config === undefined ? layers : [config, ...layers]).map((blob) => [blob.digest, blob]));
  const files = [...blobs.values()].map((descriptor) => ({
    title: blobPath(descriptor),
    descriptor,
    isFolder: false,
  }));
  return { files, notes: [], pointers: [{ path, content: "manifest" }] };
}

function blobPath({ digest }: Descriptor): string {
  if (digestAlgorithm(digest) === "sha256") return `blobs/sha256-${digestEncoded(digest)}`;
  throw new MoteError("MOTE_NOT_FILES", `Ollama supports only SHA-256 digests, but the model has ${digest}`, {
    details: { digests: [digest] },
  });
}
