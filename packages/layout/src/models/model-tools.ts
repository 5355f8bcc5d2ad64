import { MoteError } from "@mote/core";
import { huggingFace } from "./hugging-face.js";
import { lmStudio } from "./lm-studio.js";
import type { ModelTool } from "./model-tool.js";
import { ollama } from "./ollama.js";

/** The tools of `--into`. To support another one, add it here, and to the completion of the command line. */
export const modelTools: readonly ModelTool[] = [ollama, huggingFace, lmStudio];

/** @throws MOTE_INVALID_NAME with the names of the known tools */
export function modelTool(name: string): ModelTool {
  const tool = modelTools.find((each) => each.name === name);
  if (tool !== undefined) return tool;
  const known = modelTools.map((each) => each.name);
  throw new MoteError("MOTE_INVALID_NAME", `unknown tool ${JSON.stringify(name)}; choose one of ${known.join(", ")}`, {
    details: { name, known },
  });
}
