import { parse as parseJsonc, type ParseError } from 'jsonc-parser';
import { parse as parseTomlText } from 'smol-toml';
import { parse as parseYamlText } from 'yaml';

/** The value of a text that someone else wrote, or undefined when it is damaged. */
export type Parser = (text: string) => unknown;

export const parseJson: Parser = (text) => {
  const errors: ParseError[] = [];
  const value: unknown = parseJsonc(text, errors, { allowTrailingComma: true });
  return errors.length === 0 ? value : undefined;
};

export const parseToml: Parser = (text) => attempt(() => parseTomlText(text));

/** Bounded: a document whose aliases multiply is refused by the parser. */
export const parseYaml: Parser = (text) => attempt(() => parseYamlText(text, { logLevel: 'silent' }) as unknown);

/** The value at a path of member names, or undefined. Own members only. */
export function valueAt(value: unknown, ...path: readonly string[]): unknown {
  let here = value;
  for (const name of path) {
    if (typeof here !== 'object' || here === null || !Object.hasOwn(here, name)) return undefined;
    here = (here as Record<string, unknown>)[name];
  }
  return here;
}

export function textAt(value: unknown, ...path: readonly string[]): string | undefined {
  const found = valueAt(value, ...path);
  return typeof found === 'string' && found !== '' ? found : undefined;
}

/** The entries of the object at a path; none when there is no object. */
export function entriesAt(value: unknown, ...path: readonly string[]): readonly (readonly [string, unknown])[] {
  const found = valueAt(value, ...path);
  return typeof found === 'object' && found !== null && !Array.isArray(found) ? Object.entries(found) : [];
}

export function itemsAt(value: unknown, ...path: readonly string[]): readonly unknown[] {
  const found = valueAt(value, ...path);
  return Array.isArray(found) ? found : [];
}

function attempt(parse: () => unknown): unknown {
  try {
    return parse();
  } catch {
    return undefined;
  }
}
