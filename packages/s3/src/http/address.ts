import { MoteError } from "@mote/core";

/** How the bucket stands in the URL: `path` is `ENDPOINT/BUCKET/KEY`, `host` is `BUCKET.ENDPOINT/KEY`. */
export type AddressStyle = "path" | "host";

/** Returns the URLs of the objects of a bucket. */
export interface BucketAddress {
  readonly bucket: string;
  /** Without a bucket or key. */
  readonly endpoint: string;
  /** @param query undefined values are omitted */
  url(key: string, query?: Readonly<Record<string, string | undefined>>): URL;
}

/** Bucket names that are valid as a host label (S3 User Guide, "General purpose bucket naming rules"), without dots, which TLS wildcards exclude. */
const hostLabel = /^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$/;
/** Older services allow upper case and underscores. */
const bucketGrammar = /^[A-Za-z0-9][A-Za-z0-9._-]{1,253}[A-Za-z0-9]$/;

/**
 * Returns the address of a bucket.
 * @param options.style default: `host` on AWS for buckets that are valid host labels, otherwise `path`
 * @throws MOTE_CONFIG
 */
export function bucketAddress(
  bucket: string,
  options: {
    readonly endpoint?: string | undefined;
    readonly region: string;
    readonly style?: AddressStyle | undefined;
  },
): BucketAddress {
  if (!bucketGrammar.test(bucket) || bucket.includes(".."))
    throw new MoteError(
      "MOTE_CONFIG",
      `"${bucket.slice(0, 80)}" is not a valid bucket name; use the name alone, without a URL`,
    );
  const base = parseEndpoint(options.endpoint ?? awsEndpoint(options.region));
  const style = options.style ?? (options.endpoint === undefined && hostLabel.test(bucket) ? "host" : "path");
  if (style === "host") base.hostname = `${bucket}.${base.hostname}`;
  const root = `${base.pathname.replace(/\/+$/, "")}${style === "path" ? `/${bucket}` : ""}/`;
  return {
    bucket,
    endpoint: `${base.protocol}//${base.host}`,
    url(key, query = {}) {
      const url = new URL(base);
      url.pathname = root + encodeKey(key);
      const pairs = Object.entries(query).filter((pair): pair is [string, string] => pair[1] !== undefined);
      url.search = pairs.map(([name, value]) => `${encodeStrictly(name)}=${encodeStrictly(value)}`).join("&");
      return url;
    },
  };
}

function awsEndpoint(region: string): string {
  if (!/^[a-z0-9-]{1,40}$/.test(region))
    throw new MoteError("MOTE_CONFIG", `"${region.slice(0, 80)}" is not a valid region`);
  return `https://s3.${region}.amazonaws.com${region.startsWith("cn-") ? ".cn" : ""}`;
}

function parseEndpoint(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !["http:", "https:"].includes(url.protocol) || url.search !== "" || url.username !== "")
    throw new MoteError(
      "MOTE_CONFIG",
      "the endpoint of the S3 service is not valid; use a URL such as https://s3.example.com",
    );
  return url;
}

function encodeKey(key: string): string {
  return key.split("/").map(encodeStrictly).join("/");
}

/** Encodes as the signature does (RFC 3986, unreserved characters), so that the server sees the key that was signed. */
function encodeStrictly(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
}
