import type { Descriptor } from "@mote/core";
import type { Job } from "./job.js";

const stepBytes = 1024 * 1024;

/** Tells of a blob's bytes, once in a MiB. */
export function reportProgress(job: Job, { digest, size }: Descriptor): (bytes: number) => void {
  let told = 0;
  return (bytes) => {
    if (bytes - told < stepBytes && bytes !== size) return;
    told = bytes;
    job.emit({ type: "progress", digest, size, bytes });
  };
}
