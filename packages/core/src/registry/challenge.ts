/** What a registry asks for with 401 (RFC 9110, WWW-Authenticate; distribution-spec's token flow). */
export interface Challenge {
  /** Lower case: `bearer`, `basic`. */
  readonly scheme: string;
  /** Names in lower case. */
  readonly parameters: Readonly<Record<string, string>>;
}

/** The challenges of a header, in order; what cannot be read is left out. */
export function parseChallenges(header: string): readonly Challenge[] {
  const challenges: { scheme: string; parameters: Record<string, string> }[] = [];
  const item =
    /\s*,?\s*(?:([A-Za-z0-9!#$%&'*+.^_`|~-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]*))|([A-Za-z0-9!#$%&'*+.^_`|~-]+)(?=\s|,|$))/y;
  for (let match = item.exec(header); match && match[0] !== ''; match = item.exec(header)) {
    const [, name, quoted, plain, scheme] = match;
    if (scheme !== undefined) challenges.push({ scheme: scheme.toLowerCase(), parameters: {} });
    else if (name !== undefined)
      Object.assign(challenges.at(-1)?.parameters ?? {}, { [name.toLowerCase()]: quoted?.replace(/\\(.)/g, '$1') ?? plain ?? '' });
  }
  return challenges;
}
