import { applyEdits, modify, parse } from 'jsonc-parser';

const formattingOptions = { insertSpaces: true, tabSize: 2 };

/** The text of devenv.local.json with one more port, or `HOST:PORT`; comments stay. */
export function withPort(text: string, port: number | string): string {
  const { ports } = (parse(text) ?? {}) as { readonly ports?: readonly unknown[] };
  if (ports?.includes(port)) return text;
  const edits =
    ports === undefined
      ? modify(text, ['ports'], [port], { formattingOptions })
      : modify(text, ['ports', ports.length], port, { formattingOptions, isArrayInsertion: true });
  return applyEdits(text, edits);
}
