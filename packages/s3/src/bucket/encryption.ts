/** How the service encrypts objects (SSE). */
export interface ServerSideEncryption {
  readonly algorithm: "AES256" | "aws:kms" | "aws:kms:dsse";
  /** The key of KMS. Default: the bucket's or the account's. */
  readonly kmsKeyId?: string | undefined;
}

/** Returns the headers of a request that stores an object. Some buckets refuse any object without them. */
export function encryptionHeaders(encryption: ServerSideEncryption | undefined): Readonly<Record<string, string>> {
  if (encryption === undefined) return {};
  const { algorithm, kmsKeyId } = encryption;
  return {
    "x-amz-server-side-encryption": algorithm,
    ...(kmsKeyId === undefined ? {} : { "x-amz-server-side-encryption-aws-kms-key-id": kmsKeyId }),
  };
}
