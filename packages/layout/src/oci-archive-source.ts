import { resolve } from "node:path";
import { LayoutContent } from "./layout-content.js";
import { ArchiveFiles } from "./named-files.js";

/** A tar of an OCI image layout as a place that content comes from. It is read in place, not unpacked. */
export class OciArchiveSource extends LayoutContent {
  constructor(file: string) {
    const path = resolve(file);
    super(new ArchiveFiles(path), { transport: "oci-archive", path });
  }
}
