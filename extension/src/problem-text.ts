/** The word, text or number that begins at this column of a line; at least one character. */
export function spanAt(line: string, column: number): { readonly start: number; readonly end: number } {
  const start = Math.min(column, Math.max(0, line.length - 1));
  const [token] = /^(?:"(?:[^"\\]|\\.)*"|\$\{[^}]*\}|[\w.+-]+)/.exec(line.slice(start)) ?? [];
  return { start, end: start + Math.max(1, token?.length ?? 1) };
}

/** What a hint proposes, as it would stand in the file in place of `written`. undefined: it proposes nothing. */
export function proposedText(hint: string, written: string): string | undefined {
  const meant = /did you mean (?:"([^"]+)"|(\$\{[^}]+\}))\?/.exec(hint);
  if (!meant) return undefined;
  if (meant[2] !== undefined) return written.startsWith('${') ? meant[2] : undefined;
  return JSON.stringify(meant[1]);
}
