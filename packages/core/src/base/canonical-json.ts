export type Json = string | number | boolean | null | readonly Json[] | { readonly [name: string]: Json };

/** The one text of a value: members sorted by code unit, no white space (RFC 8785 for the values used here). */
export function canonicalJson(value: Json): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (value !== null && typeof value === 'object') {
    const members = Object.entries(value as { [name: string]: Json })
      .toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
      .map(([name, member]) => `${JSON.stringify(name)}:${canonicalJson(member)}`);
    return `{${members.join(',')}}`;
  }
  return JSON.stringify(value);
}

/** Lower-case hexadecimal SHA-256. */
export function sha256(bytes: string | Uint8Array): string {
  // Loaded on first use: it costs more than all else that entering an environment takes.
  return process.getBuiltinModule('node:crypto').createHash('sha256').update(bytes).digest('hex');
}
