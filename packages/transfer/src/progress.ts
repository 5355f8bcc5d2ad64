import type { Descriptor } from "@mote/core";
import type { Job } from "./job.js";

const stepBytes = 1024 * 1024;

/** Returns a function that emits a progress event for each MiB of a blob. */
export function reportProgress(job: Job, { digest, size }: Descriptor): (bytes: number) => void {
  let reported = 0;
  return (bytes) => {
    if (bytes - reported < stepBytes && bytes !== size) return;
    reported = bytes;
    job.emit({ type: "progress", digest, size, bytes });
  };
}
