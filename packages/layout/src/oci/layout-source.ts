import { resolve } from "node:path";
import { FolderFiles } from "../disk/named-files.js";
import { LayoutContent } from "./layout-content.js";

/** A folder in the OCI image layout (image-spec, image-layout.md) as a source. */
export class LayoutSource extends LayoutContent {
  constructor(dir: string) {
    const path = resolve(dir);
    super(new FolderFiles(path), { transport: "oci", path });
  }
}
