import { type Digest, isDigest, parseDigest, type Ref } from "@mote/core";

export interface Selector {
  readonly tag?: string | undefined;
  readonly digest?: Digest | undefined;
  readonly index?: number | undefined;
}

export function selectorOf(ref: Ref | string): Selector {
  if (typeof ref !== "string") {
    const { digest, tag } = ref;
    const index = "index" in ref ? ref.index : undefined;
    return { digest: digest === undefined ? undefined : parseDigest(digest), tag, index };
  }
  if (isDigest(ref)) return { digest: ref };
  const numbered = /^@(\d{1,9})$/.exec(ref);
  if (numbered) return { index: Number(numbered[1]) };
  return ref === "" ? {} : { tag: ref };
}
