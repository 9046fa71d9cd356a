import { UserError } from '../../base/errors.ts';
import { idMapping } from '../../base/user-namespace.ts';
import { readInside } from './tree.ts';

/** A user as the kernel and a process know it. */
export interface User {
  readonly uid: number;
  readonly gid: number;
  readonly additionalGids: readonly number[];
  readonly home: string;
}

/**
 * Looks up `name`, `uid`, `name:group`, `uid:gid`; in the /etc/passwd and /etc/group of the tree. As Docker: a number that
 * is not listed is fine, a name that is not listed is an error, a named group replaces the additional ones.
 * @throws UserError BAD_VALUE
 */
export function lookUpUser(root: string, wanted: string): User {
  const colon = wanted.indexOf(':');
  const [name, group] = colon < 0 ? [wanted, ''] : [wanted.slice(0, colon), wanted.slice(colon + 1)];
  const accounts = lines(root, '/etc/passwd');
  const id = name === 'root' ? 0 : asId(name || '0'); // also in an image that lists nobody
  const account =
    accounts.find(([accountName]) => accountName === name) ?? accounts.find(([, , uid]) => id !== undefined && asId(uid) === id);
  const uid = account ? asId(account[2]) : id;
  if (uid === undefined) {
    throw new UserError('BAD_VALUE', `the image has no user ${JSON.stringify(name)}`, {
      hint: 'name a user of its /etc/passwd, or let devenv make one: "user"',
    });
  }
  const home = account?.[5] || '/';
  if (!group) {
    const gid = asId(account?.[3]) ?? 0;
    const additionalGids = !account
      ? []
      : lines(root, '/etc/group').flatMap(([, , number, members]) =>
          members?.split(',').includes(account[0]!) ? [asId(number) ?? 0] : [],
        );
    return { uid, gid, additionalGids: [...new Set(additionalGids)].filter((additional) => additional !== gid), home };
  }
  const entry = lines(root, '/etc/group').find(([groupName]) => groupName === group);
  const gid = entry ? asId(entry[2]) : asId(group);
  if (gid === undefined) throw new UserError('BAD_VALUE', `the image has no group ${JSON.stringify(group)}`);
  return { uid, gid, additionalGids: [], home };
}

/** Where a namespace has root alone, everybody is root (doctor names that mode). */
export function asHeld(user: User): User {
  return idMapping().kind === 'single' ? { ...user, uid: 0, gid: 0, additionalGids: [] } : user;
}

function lines(root: string, path: string): string[][] {
  return (readInside(root, path) ?? '').split('\n').flatMap((line) => (line && !line.startsWith('#') ? [line.split(':')] : []));
}

function asId(text: string | undefined): number | undefined {
  if (text === undefined || !/^\d{1,10}$/.test(text)) return undefined;
  const id = Number(text);
  return id < 0xffffffff ? id : undefined;
}
