import { digestEncoded } from "@mote/core";
import { arrangeBelow } from "../files/arranged-files.js";
import { artifactFiles } from "../files/artifact-files.js";
import type { ModelName, ModelTool } from "./model-tool.js";
import { setting, unusableName } from "./tool-settings.js";

/** A revision of this form is never looked up at the Hub if its files exist. */
const revisionDigits = 40;

/**
 * The cache of the Hugging Face Hub, by its documentation ("Understand caching"): `models--ORG--NAME/snapshots/REVISION` has the files, and
 * `refs/main` the revision of the branch. Files may be in the snapshot itself, as on systems without symbolic links.
 */
export const huggingFace: ModelTool = {
  name: "hf",
  needsAllFiles: false,
  folder(env, { cache }) {
    const home = setting(env.HF_HOME) ?? (cache && `${cache}/huggingface`);
    return setting(env.HF_HUB_CACHE) ?? setting(env.HUGGINGFACE_HUB_CACHE) ?? (home && `${home}/hub`);
  },
  place(model) {
    const name = repositoryId(model);
    return {
      name,
      folder: `models--${name.replace("/", "--")}`,
      arrange(manifest, { digest }) {
        const revision = digestEncoded(digest).slice(0, revisionDigits);
        const { files, notes } = arrangeBelow(`snapshots/${revision}`, artifactFiles(manifest));
        return { files, notes, pointers: [{ path: "refs/main", content: new TextEncoder().encode(revision) }] };
      },
    };
  },
};

/** Returns the last two parts of the repository, as names of the Hub have an organization at most. */
function repositoryId({ registry, repository }: ModelName): string {
  const name = repository.split("/").slice(-2).join("/");
  if (name.includes("--")) throw unusableName(`${registry}/${repository}`, 'names of the Hub do not contain "--"');
  return name;
}
