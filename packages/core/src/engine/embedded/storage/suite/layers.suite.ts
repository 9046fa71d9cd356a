import { createHash } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
  type BigIntStats,
} from 'node:fs';
import { join } from 'node:path';
import { getAttribute, listAttributes, makeNode, setAttribute, setTimes } from '../../../../base/system-calls.ts';
import { isMapped, overlayAttributes } from '../../../../base/user-namespace.ts';
import { compareNames, pathOf } from '../../../../oci/file-name.ts';
import { namesIn } from '../../../../store/merged.ts';
import { modifiedSeconds } from '../../../../store/same-entry.ts';

/** cap_net_raw+ep, as ping has it (linux/capability.h, VFS_CAP_REVISION_2). */
const netRaw = Buffer.from('0100000200200000000000000000000000000000', 'hex');

/** Two change sets, topmost first, that show `shownTree`. */
export function writeLayers(parent: string): readonly string[] {
  const [lower, upper] = [join(parent, 'lower'), join(parent, 'upper')];
  const put = (path: string, text: string): void => {
    mkdirSync(join(path, '..'), { recursive: true });
    writeFileSync(path, text);
  };
  for (const name of ['file', 'removed', 'changed', 'dir/kept', 'dir/removed', 'opaque/hidden', 'becomes a folder', 'becomes a file/in it'])
    put(join(lower, name), name);
  put(join(lower, 'deep/er/still'), 'lower');
  put(join(lower, 'größe/数/🙂'), 'Unicode');
  writeFileSync(pathOf(join(lower, 'odd-\udcff')), 'no UTF-8');
  put(join(lower, 'one'), 'linked');
  linkSync(join(lower, 'one'), join(lower, 'other'));
  symlinkSync('dir/kept', join(lower, 'link'));
  put(join(lower, 'set-uid'), 'x');
  chownSync(join(lower, 'set-uid'), 12, 34);
  chmodSync(join(lower, 'set-uid'), 0o4755);
  put(join(lower, 'capable'), 'x');
  setAttribute(join(lower, 'capable'), 'security.capability', netRaw);
  put(join(lower, 'noted'), 'x');
  setAttribute(join(lower, 'noted'), 'user.note', Buffer.from('a note'));
  put(join(lower, 'sparse'), 'begins');
  truncateSync(join(lower, 'sparse'), 1024 * 1024);
  makeNode(join(lower, 'pipe'), 0o010644, 0, 0);
  if (!isMapped()) makeNode(join(lower, 'device'), 0o020640, 1, 3);

  for (const name of ['changed', 'opaque/shown', 'becomes a folder/in it', 'becomes a file', 'dir/added', 'deep/er/added'])
    put(join(upper, name), 'of the upper layer');
  for (const name of ['removed', 'dir/removed']) makeNode(join(upper, name), 0o020000, 0, 0);
  setAttribute(join(upper, 'opaque'), `${overlayAttributes()}.overlay.opaque`, Buffer.from('y'));
  chmodSync(join(upper, 'dir'), 0o750);
  for (const layer of [lower, upper]) setAllTimes(layer);
  return [upper, lower];
}

/** The same for each run; half a second, since nothing of it may be lost. */
function setAllTimes(directory: string): void {
  for (const name of namesIn(directory)) {
    const path = `${directory}/${name}`;
    if (lstatSync(pathOf(path)).isDirectory()) setAllTimes(path);
    setTimes(pathOf(path), 1_500_000_000, 500_000_000);
  }
}

const file = (text: string, more = ''): string => `- 644 0:0 ${digest(text)}${more}`;
const ofUpper = file('of the upper layer');

export const shownTree: Readonly<Record<string, string>> = sorted({
  'becomes a file': ofUpper,
  'becomes a folder': 'd 755 0:0',
  'becomes a folder/in it': ofUpper,
  capable: file('x', ` security.capability=${netRaw.toString('base64')}`),
  changed: ofUpper,
  deep: 'd 755 0:0',
  'deep/er': 'd 755 0:0',
  'deep/er/added': ofUpper,
  'deep/er/still': file('lower'),
  ...(isMapped() ? {} : { device: 'c 640 0:0 259' }),
  dir: 'd 750 0:0',
  'dir/added': ofUpper,
  'dir/kept': file('dir/kept'),
  file: file('file'),
  größe: 'd 755 0:0',
  'größe/数': 'd 755 0:0',
  'größe/数/🙂': file('Unicode'),
  link: 'l 777 0:0 dir/kept',
  noted: file('x', ` user.note=${Buffer.from('a note').toString('base64')}`),
  'odd-\udcff': file('no UTF-8'),
  one: file('linked'),
  opaque: 'd 755 0:0',
  'opaque/shown': ofUpper,
  other: file('linked'),
  pipe: 'p 644 0:0 0',
  'set-uid': `- 4755 12:34 ${digest('x')}`,
  sparse: file('begins'.padEnd(1024 * 1024, '\0')),
});

/** Everything in a directory by path: type, mode, owner, content, attributes; times where they are not those of `writeLayers`. */
export function describeTree(directory: string): Record<string, string> {
  const described: Record<string, string> = {};
  const names = new Map<bigint, string>();
  const walk = (path: string, relative: string): void => {
    for (const name of namesIn(path)) {
      const here = `${path}/${name}`;
      const inside = relative === '' ? name : `${relative}/${name}`;
      const stats = lstatSync(pathOf(here), { bigint: true });
      described[inside] = describeEntry(here, stats);
      if (stats.isDirectory()) walk(here, inside);
      else if (stats.nlink > 1n) names.set(stats.ino, inside);
    }
  };
  walk(directory, '');
  return sorted(described);
}

function describeEntry(path: string, stats: BigIntStats): string {
  const address = pathOf(path);
  const content = stats.isFile()
    ? digest(readFileSync(address))
    : stats.isSymbolicLink()
      ? readlinkSync(address)
      : stats.isDirectory()
        ? ''
        : String(stats.rdev);
  const attributes = listAttributes(address)
    .toSorted()
    .map((name) => `${name}=${getAttribute(address, name)!.toString('base64')}`);
  const time = stats.mtimeNs === 1_500_000_000_500_000_000n ? '' : `at ${modifiedSeconds(stats)}`;
  const type = stats.isFile() ? '-' : stats.isSymbolicLink() ? 'l' : stats.isDirectory() ? 'd' : stats.isFIFO() ? 'p' : 'c';
  const owner = `${stats.uid}:${stats.gid}`;
  return [type, (stats.mode & 0o7777n).toString(8), owner, content, ...attributes, time].filter(Boolean).join(' ');
}

function digest(text: string | Buffer): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 12);
}

function sorted(entries: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(entries).toSorted(([a], [b]) => compareNames(a, b)));
}
