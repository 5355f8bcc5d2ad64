import { statSync } from "node:fs";
import { isArchiveFile } from "../wire.js";

/** Files of these names are archives, although they may be empty or cut: their errors say more than that no image has the name. */
const archiveName = /\.(tar|tgz|tar\.gz|tar\.zst)$/;

/**
 * Returns the reference of an archive or a layout if the text is one without a name in it: `oci:DIR`, `oci-archive:FILE`, or the path of an
 * archive. `oci-archive:-` is stdin. Undefined for the name of a cached image, which may also begin so.
 */
export async function archiveIn(text: string): Promise<string | undefined> {
  const [, transport, path = ""] = /^(oci|oci-archive):(.+)$/.exec(text) ?? [];
  if (transport === "oci") return statSync(path, { throwIfNoEntry: false })?.isDirectory() ? text : undefined;
  if (transport !== undefined && path === "-") return text;
  const file = transport === undefined ? text : path;
  const isFile = () => statSync(file, { throwIfNoEntry: false })?.isFile() ?? false;
  const isNamedSo = (transport !== undefined || archiveName.test(file)) && isFile();
  return isNamedSo || (await isArchiveFile(file)) ? `oci-archive:${file}` : undefined;
}
