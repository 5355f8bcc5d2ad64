import type { HomeFolders } from "@mote/core";
import type { Arrange } from "../files/arranged-files.js";

/** The name of a model at its registry. */
export interface ModelName {
  readonly registry: string;
  readonly repository: string;
  readonly tag?: string | undefined;
}

/** A program that keeps models in a folder, in a documented layout. */
export interface ModelTool {
  /** As in `--into`. */
  readonly name: string;
  /** Whether it cannot use a model without some of its files. */
  readonly needsAllFiles: boolean;
  /** Returns the folder of its models, by its environment variables. Undefined without a home folder. */
  folder(env: Readonly<Record<string, string | undefined>>, home: HomeFolders): string | undefined;
  /** Returns where it looks for a model. @throws MOTE_INVALID_NAME if it cannot have one of that name */
  place(model: ModelName): ModelPlace;
}

export interface ModelPlace {
  /** What the tool calls the model. */
  readonly name: string;
  /** Below the folder of its models; `.` for that folder. Nothing is written outside of it. */
  readonly folder: string;
  /** @throws MOTE_NOT_FILES if the tool cannot use the model, and as `artifactFiles` */
  readonly arrange: Arrange;
}
