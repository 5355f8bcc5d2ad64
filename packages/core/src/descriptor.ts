import type { Digest } from "./digest.js";

/** image-spec, image-index.md, "platform". */
export interface Platform {
  readonly architecture: string;
  readonly os: string;
  readonly "os.version"?: string | undefined;
  readonly "os.features"?: readonly string[] | undefined;
  readonly variant?: string | undefined;
}

/** image-spec, descriptor.md. `size` in bytes; `data` is base64. */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: Digest;
  readonly size: number;
  readonly urls?: readonly string[] | undefined;
  readonly annotations?: Readonly<Record<string, string>> | undefined;
  readonly data?: string | undefined;
  readonly artifactType?: string | undefined;
  readonly platform?: Platform | undefined;
}
