import type { Digest } from "@mote/core";
import { MoteError } from "@mote/core";
/** The subject of a request, for error details. */
export interface Subject {
  readonly registry: string;
  readonly repository?: string | undefined;
  readonly digest?: Digest | undefined;
  /** The requested tag or digest. */
  readonly reference?: string | undefined;
}

/** Returns the registry, and the repository if there is one. */
export function subjectName({ registry, repository }: Subject): string {
  return repository === undefined ? registry : `${registry}/${repository}`;
}

export function plainSubject(subject: Subject): object {
  return Object.fromEntries(Object.entries(subject).filter(([, value]) => value !== undefined));
}

/** Adds the registry to an error about its document. */
export async function namingSubject<T>(subject: Subject, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (!MoteError.isInstance(error)) throw error;
    const details = { ...plainSubject(subject), ...error.details };
    throw new MoteError(error.code, `${subjectName(subject)}: ${error.message}`, { cause: error, details });
  }
}
