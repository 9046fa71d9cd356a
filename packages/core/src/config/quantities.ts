const sizeUnits = 'bkmgt';

/** Bytes of `512m`, `2g`, `1.5GiB`: each unit is 1024 of the one before. undefined: it is no size. */
export function parseSize(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*([bkmgt]?)(?:i?b)?$/i.exec(text);
  if (!match) return undefined;
  const bytes = Math.round(Number(match[1]) * 1024 ** Math.max(0, sizeUnits.indexOf(match[2]!.toLowerCase() || 'b')));
  return Number.isSafeInteger(bytes) && bytes > 0 ? bytes : undefined;
}

const seconds: Readonly<Record<string, number>> = { ms: 0.001, s: 1, m: 60, h: 3600 };

/** Seconds of `30s`, `1m30s`, `500ms`. undefined: it is no duration. */
export function parseDuration(text: string): number | undefined {
  if (!/^(?:\d+(?:\.\d+)?(?:ms|s|m|h))+$/.test(text)) return undefined;
  let total = 0;
  for (const [, number, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)) total += Number(number) * seconds[unit!]!;
  return Math.round(total * 1000) / 1000;
}
