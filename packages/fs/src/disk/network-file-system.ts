import fs from "node:fs";
import { dirname } from "node:path";

/** statfs(2), f_type: NFS, SMB, SMB2, CIFS, FUSE (also virtiofs), 9p, Ceph, AFS, Coda, Lustre, GPFS. */
const networkTypes = new Set([
  0x6969, 0x517b, 0xfe534d42, 0xff534d42, 0x65735546, 0x01021997, 0x00c36400, 0x5346414f, 0x73757245, 0x0bd00bd0,
  0x47504653,
]);

/** Whether calls to the folder's file system may take long, and an open file may become unreadable when its name goes. */
export function isOnNetworkFileSystem(path: string): boolean {
  try {
    return networkTypes.has(fs.statfsSync(path).type >>> 0);
  } catch {
    // Not made yet: it will be where the folder above is.
    const above = dirname(path);
    return above !== path && isOnNetworkFileSystem(above);
  }
}
