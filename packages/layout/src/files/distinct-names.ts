/** Weights that are split into several files, which programs find by their numbers. */
const shardedNames = new Set(["model.gguf", "model.safetensors"]);

export interface FileName {
  readonly name: string;
  /** Whether the name must stay. */
  readonly isFixed: boolean;
}

/**
 * Numbers the names that are not fixed, so that they differ from all others, also in another case, as some file systems do not
 * distinguish cases.
 */
export function distinctNames(names: readonly FileName[]): readonly string[] {
  const taken = new Set(names.filter(({ isFixed }) => isFixed).map(({ name }) => name.toLowerCase()));
  const counts = new Map<string, number>();
  for (const { name, isFixed } of names) if (!isFixed) counts.set(name, (counts.get(name) ?? 0) + 1);
  const numbers = new Map<string, number>();
  return names.map(({ name, isFixed }) => {
    if (isFixed) return name;
    const shards = shardedNames.has(name) ? (counts.get(name) ?? 1) : 1;
    for (;;) {
      const number = (numbers.get(name) ?? 0) + 1;
      numbers.set(name, number);
      const numbered = numberedName(name, { number, shards });
      if (taken.has(numbered.toLowerCase())) continue;
      taken.add(numbered.toLowerCase());
      return numbered;
    }
  });
}

function numberedName(name: string, { number, shards }: { readonly number: number; readonly shards: number }): string {
  const dot = name.lastIndexOf(".");
  const [stem, ending] = dot > 0 ? [name.slice(0, dot), name.slice(dot)] : [name, ""];
  if (shards > 1) return `${stem}-${fiveDigits(number)}-of-${fiveDigits(shards)}${ending}`;
  return number === 1 ? name : `${stem}-${number}${ending}`;
}

function fiveDigits(number: number): string {
  return String(number).padStart(5, "0");
}
