/** What commands of skopeo, crane, regctl, oras and docker are called here. */
const calls: Readonly<Record<string, string>> = {
  cp: "mote copy",
  "list-tags": "mote tags",
  digest: "mote inspect REF --digest",
  manifest: "mote inspect REF --raw",
  delete: "mote rm, for the cache; mote deletes nothing on a registry except by mote sync --delete",
  gc: "mote prune",
  images: "mote ls",
  rmi: "mote rm",
  tag: "mote copy SRC DEST, which moves no bytes that DEST has",
  export: "mote get IMAGE / --output -, or mote pull IMAGE --unpack DIR",
  save: "mote copy IMAGE docker-archive:FILE",
  load: "mote pull docker-archive:FILE",
  mirror: "mote sync, or mote serve --upstream for a mirror on request",
  discover: "mote inspect",
};

/** Returns what mote calls a command of another tool: `; mote calls it …`, or an empty string. */
export function ownWord(word: string): string {
  const own = Object.hasOwn(calls, word) ? calls[word] : undefined;
  return own === undefined ? "" : `; mote calls it ${own}`;
}
