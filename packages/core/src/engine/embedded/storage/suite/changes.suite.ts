import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  chownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { makeNode, removeAttribute, setAttribute } from '../../../../base/system-calls.ts';
import { pathOf } from '../../../../oci/file-name.ts';

interface Change {
  /** Done to a tree that shows the suite's layers. */
  readonly change: (tree: string) => void;
  /** Every path of the layer that tells it. */
  readonly gives: readonly string[];
}

/**
 * What steps do to a tree. Not among them: to change one of several names that a file of a lower layer has. Whether the others
 * change with it differs: for overlayfs they do not.
 */
export const changes: Readonly<Record<string, Change>> = {
  'new things of every kind': {
    change: (tree) => {
      const at = (name: string): string => join(tree, name);
      mkdirSync(at('new/folder'), { recursive: true, mode: 0o711 });
      writeFileSync(at('new/folder/a'), 'a');
      linkSync(at('new/folder/a'), at('new/b'));
      symlinkSync('folder/a', at('new/link'));
      makeNode(at('new/pipe'), 0o010600, 0, 0);
      writeFileSync(at('new/sparse'), 'begins');
      truncateSync(at('new/sparse'), 1024 * 1024);
      writeFileSync(pathOf(at('new/odd-\udcfe')), '');
      writeFileSync(at('dir/mine'), 'mine');
      chownSync(at('dir/mine'), 1000, 1000);
      chmodSync(at('dir/mine'), 0o6755);
      setAttribute(at('dir/mine'), 'user.note', Buffer.from('new'));
      setAttribute(at('new/folder'), 'user.note', Buffer.from('new'));
    },
    gives: ['dir', 'dir/mine', 'new', 'new/b', 'new/folder', 'new/folder/a', 'new/link', 'new/odd-\udcfe', 'new/pipe', 'new/sparse'],
  },
  'files changed in content, mode, owner, attributes, time': {
    change: (tree) => {
      const at = (name: string): string => join(tree, name);
      appendFileSync(at('file'), ' and more');
      appendFileSync(at('deep/er/still'), '!');
      chmodSync(at('changed'), 0o600);
      chownSync(at('dir/kept'), 7, 8);
      removeAttribute(at('noted'), 'user.note');
      setAttribute(at('becomes a file'), 'user.note', Buffer.from('x'));
      utimesSync(at('dir/added'), 1_400_000_000, 1_400_000_000);
      chmodSync(at('größe'), 0o700);
    },
    gives: ['becomes a file', 'changed', 'deep', 'deep/er', 'deep/er/still', 'dir', 'dir/added', 'dir/kept', 'file', 'größe', 'noted'],
  },
  'content of the same length and time': {
    change: (tree) => {
      const { mtimeMs } = lstatSync(join(tree, 'deep/er/still'));
      writeFileSync(join(tree, 'deep/er/still'), 'LOWER');
      utimesSync(join(tree, 'deep/er/still'), mtimeMs / 1000, mtimeMs / 1000);
    },
    gives: ['deep', 'deep/er', 'deep/er/still'],
  },
  'things removed': {
    change: (tree) => {
      for (const name of ['file', 'deep', 'dir/kept', 'opaque/shown', 'link', 'one']) rmSync(join(tree, name), { recursive: true });
      rmSync(pathOf(join(tree, 'odd-\udcff')));
    },
    gives: ['deep', 'dir', 'dir/kept', 'file', 'link', 'odd-\udcff', 'one', 'opaque', 'opaque/shown'],
  },
  'things replaced by others of another kind': {
    change: (tree) => {
      const at = (name: string): string => join(tree, name);
      for (const name of ['file', 'deep', 'dir', 'link']) rmSync(at(name), { recursive: true });
      mkdirSync(at('file'));
      writeFileSync(at('file/inside'), '');
      writeFileSync(at('deep'), 'a file now');
      symlinkSync('opaque', at('dir'));
      mkdirSync(at('link'));
    },
    gives: ['deep', 'dir', 'file', 'file/inside', 'link'],
  },
  'a folder made anew, with some of what it had': {
    change: (tree) => {
      const at = (name: string): string => join(tree, name);
      const { mtimeMs } = lstatSync(at('deep/er/still'));
      rmSync(at('deep'), { recursive: true });
      mkdirSync(at('deep/er'), { recursive: true });
      writeFileSync(at('deep/er/still'), 'lower');
      utimesSync(at('deep/er/still'), mtimeMs / 1000, mtimeMs / 1000);
      writeFileSync(at('deep/er/new'), 'new');
    },
    gives: ['deep', 'deep/er', 'deep/er/added', 'deep/er/new'],
  },
  'a folder moved by a program that can copy': {
    change: (tree) => {
      execFileSync('mv', [join(tree, 'dir'), join(tree, 'moved')]);
      execFileSync('mv', [join(tree, 'größe'), join(tree, 'opaque')]);
    },
    gives: ['dir', 'größe', 'moved', 'moved/added', 'moved/kept', 'opaque', 'opaque/größe', 'opaque/größe/数', 'opaque/größe/数/🙂'],
  },
  'much ado about nothing': {
    change: (tree) => {
      const at = (name: string): string => join(tree, name);
      const { mtimeMs } = lstatSync(at('file'));
      writeFileSync(at('file'), readFileSync(at('file')));
      utimesSync(at('file'), mtimeMs / 1000, mtimeMs / 1000);
      chmodSync(at('changed'), 0o600);
      chmodSync(at('changed'), 0o644);
      chownSync(at('dir/kept'), 0, 0);
      writeFileSync(at('dir/passing'), '');
      rmSync(at('dir/passing'));
      renameSync(at('deep/er/still'), at('deep/er/other'));
      renameSync(at('deep/er/other'), at('deep/er/still'));
      mkdirSync(at('passing/by'), { recursive: true });
      rmSync(at('passing'), { recursive: true });
      readdirSync(at('opaque'));
    },
    gives: [],
  },
};
