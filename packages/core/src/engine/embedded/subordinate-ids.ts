import { userInfo } from 'node:os';
import { readText } from '../../base/files.ts';

/** A part of the subordinate ids of a user or group (subuid(5)). */
interface Range {
  readonly first: number;
  readonly count: number;
}

/** What a normal user's namespace can be made of. `undefined`: no subordinate ids, so that 0 is all there is. */
export interface SubordinateIds {
  readonly uids: Range;
  readonly gids: Range;
}

/** Of the user with this id; undefined without any. */
export function subordinateIds(uid: number): SubordinateIds | undefined {
  const names = [accountName(uid), String(uid)].filter((name) => name !== undefined);
  const [uids, gids] = ['/etc/subuid', '/etc/subgid'].map((path) => rangeIn(readText(path) ?? '', names));
  return uids && gids ? { uids, gids } : undefined;
}

/** The name of a user. Undefined for an id that nobody has, as orchestrators like to give. */
export function accountName(uid: number): string | undefined {
  const accounts = (readText('/etc/passwd') ?? '').split('\n').map((line) => line.split(':'));
  const own = accounts.find(([, , id]) => Number(id) === uid)?.[0];
  if (own !== undefined || uid !== process.getuid!()) return own; // as root of a namespace one has root's name
  try {
    return userInfo().username; // from a directory service
  } catch {
    return undefined;
  }
}

/** subuid(5): `name-or-uid:first:count` a line. */
export function rangeIn(text: string, names: readonly string[]): Range | undefined {
  const most = 65536; // more are never used: ids of images are 16 bits, and nothing else is kept free for other namespaces
  const ranges = text.split('\n').flatMap((line): Range[] => {
    const [name = '', first, count] = line.split(':');
    return names.includes(name) && Number(count) > 0 ? [{ first: Number(first), count: Math.min(Number(count), most) }] : [];
  });
  return ranges.toSorted((a, b) => b.count - a.count)[0];
}
