export interface Row {
  readonly what: string;
  /** One for each service. */
  readonly cells: readonly string[];
}

/** Returns the page that says how services differ. */
export function servicesPage(services: readonly string[], rows: readonly Row[]): string {
  return `# S3 services

<!-- Made by packages/s3/test/services.test.ts: see CONTRIBUTING.md. -->

How S3 services differ in what [\`@mote/s3\`](../../packages/s3) depends on, as measured in each run of its tests.

${table([["", ...services], ...rows.map(({ what, cells }) => [what, ...cells])])}

What follows from it:

- Bytes with another SHA-256 than the signed one are refused, so that a blob is stored under its digest only if its bytes match. moto, s3mock and
  s3rver accept them: do not use them, and do not test with them.
- \`If-None-Match: *\` is used for objects that are written in one request, if the service supports it; mote finds out once. It is never relied on
  when an upload is completed.
- \`If-Match\` is used to replace leases of fetches, if the service supports it; mote finds out once. If the condition fails although the object is the
  same, as with Ceph 16, it is sent without the quotes of the ETag.
- A response about an object that has no \`ETag\` is not S3's, but for example a proxy's: it is an error. \`Date\` tells how wrong a clock is, and when
  leases lapse.
- Not every 404 is a miss: only \`NoSuchKey\` is.
- Listings are by key, so that blobs and the records of their uses are merged page by page. A service that lists in another order is refused.
- Times may have no milliseconds. Blobs that were last used in the same second are pruned in the order of their digests.
- versitygw stores objects as files: no key of mote is the beginning of another with \`/\`, and no part of a key is longer than 255 bytes. If an
  object is written while an empty folder is removed, it responds with 409 \`ExistingObjectIsDirectory\`; the request is repeated.

Not measured here, because the tests do not use them, but documented by the services:

| service | what differs |
| --- | --- |
| AWS S3 | \`If-None-Match\` also when an upload is completed; times to the second; without \`s3:ListBucket\`, a missing object is 403 |
| AWS S3 Express (directory buckets) | listings are not by key: not supported |
| Cloudflare R2 | region \`auto\`; \`If-None-Match\` is supported |
| Google Cloud Storage | the XML API needs HMAC keys, and other conditions than \`If-None-Match\` |
`;
}

function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(3, ...rows.map((row) => row[column]?.length ?? 0)));
  const lines = rows.map((row) => `| ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(" | ")} |`);
  const rule = `| ${widths.map((width) => "-".repeat(width)).join(" | ")} |`;
  return [lines[0], rule, ...lines.slice(1)].join("\n");
}
