import { createHash } from "node:crypto";

export interface FakeObject {
  readonly bytes: Uint8Array;
  readonly etag: string;
  readonly type: string;
  readonly modifiedMs: number;
}

interface FakeUpload {
  readonly key: string;
  readonly type: string;
  readonly startedMs: number;
  readonly parts: Map<number, Uint8Array>;
}

/** The objects and unfinished uploads of a fake bucket. */
export class FakeObjects {
  readonly objects = new Map<string, FakeObject>();
  readonly uploads = new Map<string, FakeUpload>();
  #uploads = 0;

  get bytes(): number {
    let sum = 0;
    for (const { bytes } of this.objects.values()) sum += bytes.byteLength;
    return sum;
  }

  put(
    key: string,
    bytes: Uint8Array,
    options: { readonly type?: string | undefined; readonly modifiedMs: number },
  ): FakeObject {
    const { type = "binary/octet-stream", modifiedMs } = options;
    const etag = `"${createHash("md5").update(bytes).digest("hex")}"`;
    const object = { bytes, etag, type, modifiedMs };
    this.objects.set(key, object);
    return object;
  }

  startUpload(key: string, type: string, startedMs: number): string {
    const id = `upload-${++this.#uploads}`;
    this.uploads.set(id, { key, type, startedMs, parts: new Map() });
    return id;
  }

  completeUpload(id: string, modifiedMs: number): FakeObject | undefined {
    const upload = this.uploads.get(id);
    if (upload === undefined) return undefined;
    this.uploads.delete(id);
    const parts = [...upload.parts].sort(([a], [b]) => a - b).map(([, bytes]) => bytes);
    return this.put(upload.key, Buffer.concat(parts), { type: upload.type, modifiedMs });
  }

  keys(prefix: string, after: string): string[] {
    return [...this.objects.keys()].filter((key) => key.startsWith(prefix) && key > after).sort();
  }
}
