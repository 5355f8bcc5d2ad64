import { statSync } from "node:fs";
import { isArchiveFile } from "../wire.js";
import { UsageError } from "./usage-error.js";

/** Files of these names are archives, although they may be empty or cut: their errors say more than that no image has the name. */
const archiveName = /\.(tar|tgz|tar\.gz|tar\.zst)$/;

/**
 * Returns the reference of an archive or a layout if the text is one without a name in it: `oci:DIR`, `oci-archive:FILE`, or the path of an
 * archive. `oci-archive:-` is stdin. Undefined for the name of a cached image, which may also begin so. @throws UsageError for a docker-archive
 */
export async function archiveIn(text: string): Promise<string | undefined> {
  const [, transport, path = ""] = /^(oci|oci-archive|docker-archive):(.+)$/.exec(text) ?? [];
  if (transport === "oci") return statSync(path, { throwIfNoEntry: false })?.isDirectory() ? text : undefined;
  if (transport === "oci-archive" && path === "-") return text;
  const file = transport === undefined ? text : path;
  const isFile = () => statSync(file, { throwIfNoEntry: false })?.isFile() ?? false;
  if (transport === "docker-archive") {
    if (!isFile()) return undefined;
    throw new UsageError(`only OCI archives are listed and verified; mote tags ${text} lists its images`);
  }
  const isNamedSo = (transport !== undefined || archiveName.test(file)) && isFile();
  return isNamedSo || (await isArchiveFile(file)) ? `oci-archive:${file}` : undefined;
}
