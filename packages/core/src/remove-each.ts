import { UserError, type Problem } from './base/errors.ts';

/**
 * Removes what each name means; a failure does not keep the others.
 * @throws UserError what one name alone fails with; of several, one that has each failure as a problem and says what was removed
 */
export async function removeEach<T extends { readonly name: string }>(
  names: readonly string[],
  remove: (name: string) => Promise<readonly T[]>,
): Promise<readonly T[]> {
  const removed: T[] = [];
  const failures: UserError[] = [];
  for (const name of names) {
    try {
      removed.push(...(await remove(name)));
    } catch (error) {
      if (!(error instanceof UserError) || names.length === 1) throw error;
      failures.push(error);
    }
  }
  const [first] = failures;
  if (!first) return removed;
  const done = removed.length === 0 ? 'nothing' : removed.map(({ name }) => name).join(', ');
  throw new UserError(first.code, `${failures.length} of ${names.length} could not be removed; removed: ${done}.`, {
    problems: failures.map(asProblem),
    cause: first,
  });
}

function asProblem({ code, message, hint }: UserError): Problem {
  return { code, message, ...(hint === undefined ? {} : { hint }) };
}
