/** The functions of `node:fs` and `node:path` that are used. */
export interface FileSystemCalls {
  statfsSync(path: string): { readonly type: number };
  dirname(path: string): string;
}

/** statfs(2), f_type: NFS, SMB, SMB2, CIFS, FUSE (also virtiofs), 9p, Ceph, AFS, Coda, Lustre, GPFS. */
const networkTypes = new Set([
  0x6969, 0x517b, 0xfe534d42, 0xff534d42, 0x65735546, 0x01021997, 0x00c36400, 0x5346414f, 0x73757245, 0x0bd00bd0,
  0x47504653,
]);

/** Returns whether other machines may use the folder's files. */
export function isOnNetworkFileSystem(folder: string, calls: FileSystemCalls): boolean {
  try {
    return networkTypes.has(calls.statfsSync(folder).type >>> 0);
  } catch {
    // The folder does not exist yet, and will be on the file system of its parent.
    const parent = calls.dirname(folder);
    return parent !== folder && isOnNetworkFileSystem(parent, calls);
  }
}
