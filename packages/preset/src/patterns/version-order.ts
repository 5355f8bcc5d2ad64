interface Version {
  /** In decimal digits. */
  readonly numbers: readonly string[];
  /** Text behind the numbers: a pre-release such as `rc.1`, or a variant such as `alpine`. Empty for a release. */
  readonly suffix: string;
}

/**
 * Compares tags as versions, the lowest first: `v1.2`, `1.10.0-rc.1`, `1.10.0`. A tag with text behind its numbers comes before the same
 * numbers alone (semver.org, section 11). Tags that are not versions come first, in the order of their characters.
 */
export function compareVersions(one: string, other: string): number {
  const [first, second] = [versionOf(one), versionOf(other)];
  if (first === undefined || second === undefined) {
    return Number(first !== undefined) - Number(second !== undefined) || compareText(one, other);
  }
  return compareNumbers(first, second) || compareSuffixes(first.suffix, second.suffix) || compareText(one, other);
}

function versionOf(tag: string): Version | undefined {
  const found = /^[vV]?(\d+(?:\.\d+)*)(?:[-_.+]?(.*))$/s.exec(tag);
  if (found === null) return undefined;
  // Build metadata has no precedence.
  return { numbers: (found[1] ?? "").split("."), suffix: (found[2] ?? "").replace(/\+.*$/s, "") };
}

function compareNumbers({ numbers: one }: Version, { numbers: other }: Version): number {
  for (let at = 0; at < Math.max(one.length, other.length); at++) {
    const order = compareDigits(one[at] ?? "0", other[at] ?? "0");
    if (order !== 0) return order;
  }
  return 0;
}

function compareSuffixes(one: string, other: string): number {
  if (one === other) return 0;
  if (one === "" || other === "") return one === "" ? 1 : -1;
  const [first, second] = [identifiers(one), identifiers(other)];
  for (let at = 0; at < Math.max(first.length, second.length); at++) {
    const order = compareIdentifiers(first[at], second[at]);
    if (order !== 0) return order;
  }
  return 0;
}

/** Splits also between letters and digits, so that `rc2` precedes `rc10`. */
function identifiers(suffix: string): readonly string[] {
  return suffix.match(/\d+|[^\d.\-_]+/g) ?? [];
}

function compareIdentifiers(one: string | undefined, other: string | undefined): number {
  if (one === undefined || other === undefined) return one === other ? 0 : one === undefined ? -1 : 1;
  const [isNumber, isOtherNumber] = [/^\d/.test(one), /^\d/.test(other)];
  if (isNumber !== isOtherNumber) return isNumber ? -1 : 1;
  return isNumber ? compareDigits(one, other) : compareText(one, other);
}

/** Compares decimal numbers of any length. */
function compareDigits(one: string, other: string): number {
  const [first, second] = [one.replace(/^0+/, ""), other.replace(/^0+/, "")];
  return first.length - second.length || compareText(first, second);
}

function compareText(one: string, other: string): number {
  return one === other ? 0 : one < other ? -1 : 1;
}
