import { artifactFiles } from "../files/artifact-files.js";
import type { ModelTool } from "./model-tool.js";
import { unusableName } from "./tool-settings.js";

/** LM Studio, by its documentation ("Import models"): `~/.lmstudio/models/PUBLISHER/MODEL` has the files. */
export const lmStudio: ModelTool = {
  name: "lmstudio",
  needsAllFiles: false,
  folder: (_, { home }) => home && `${home}/.lmstudio/models`,
  place({ registry, repository }) {
    const parts = repository.split("/").slice(-2);
    const name = parts.join("/");
    if (parts.length < 2) throw unusableName(`${registry}/${repository}`, "names of LM Studio have a publisher");
    return { name, folder: name, arrange: (manifest) => artifactFiles(manifest) };
  },
};
