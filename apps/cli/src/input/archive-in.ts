import { statSync } from "node:fs";
import { isArchiveFile } from "../wire.js";

/**
 * Returns the reference of an archive or a layout if the text is one without a name in it: `oci:DIR`, `oci-archive:FILE`, or the path of an
 * archive. Undefined for the name of a cached image, which may also begin so.
 */
export async function archiveIn(text: string): Promise<string | undefined> {
  const [, transport, path = ""] = /^(oci|oci-archive):(.+)$/.exec(text) ?? [];
  if (transport === "oci") return statSync(path, { throwIfNoEntry: false })?.isDirectory() ? text : undefined;
  const file = transport === undefined ? text : path;
  return (await isArchiveFile(file)) ? `oci-archive:${file}` : undefined;
}
