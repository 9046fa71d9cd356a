import { printable } from '../base/code-frame.ts';
import type { Proposal, Sourced } from './proposal.ts';

/** As the text of a devenv.json, with a comment at everything that says why it is there. */
export function renderConfig(proposal: Proposal): string {
  const members = membersOf(proposal);
  const body = members.map(({ comment, key, value }) => [...commentLines(comment, '  '), `  ${JSON.stringify(key)}: ${value},`].join('\n'));
  const notes = [...(proposal.ports?.length ? [] : [noPorts]), ...(proposal.notes ?? [])]
    .flatMap((note) => commentLines(note, '  '))
    .join('\n');
  const head = commentLines(
    'The environment of this folder: devenv up makes it, devenv shell enters it. Comments and trailing commas are welcome here.',
    '',
  );
  return `${head.join('\n')}\n{\n${body.join('\n\n')}${notes === '' ? '' : `\n\n${notes}`}\n}\n`;
}

const noPorts = '"ports": [3000] would make a server inside reachable as localhost:3000.';

interface Member {
  readonly comment: string;
  readonly key: string;
  /** Formatted JSON. */
  readonly value: string;
}

function membersOf(proposal: Proposal): readonly Member[] {
  const { base, steps, user, workspace, command, env = {}, ports = [], create, extensions } = proposal;
  const members: Member[] = [{ comment: base.from, key: 'image', value: format(base.value, 2) }];
  const add = (comment: string, key: string, value: string): void => void members.push({ comment, key, value });
  if (steps.length > 0) {
    const items = steps.map(({ comment, step }) => [...commentLines(comment, '    '), `    ${format(step, 4)},`].join('\n'));
    add('Each step is one cached layer, and runs again only when something it reads has changed.', 'steps', `[\n${items.join('\n')}\n  ]`);
  }
  add(`Whom you are inside: ${user.from}. Owns the workspace as you do outside.`, 'user', format(user.value, 2));
  if (workspace) add(`Where this folder is inside; ${workspace.from}.`, 'workspace', format(workspace.value, 2));
  if (Object.keys(env).length > 0) add('Variables of the running environment.', 'env', entries(env));
  if (ports.length > 0)
    add(
      `Reached as localhost:PORT on this machine. ${sources(ports)}`,
      'ports',
      format(
        ports.map(({ value }) => value),
        2,
      ),
    );
  if (command) add(`What the image runs; ${command.from}.`, 'command', format(command.value, 2));
  if (create) add(`Once per container, in the workspace; ${create.from}.`, 'hooks', format({ create: create.value }, 2));
  if (extensions) add(`From ${extensions.from}.`, 'customizations', format({ vscode: { extensions: extensions.value } }, 2));
  return members;
}

function entries(env: Readonly<Record<string, Sourced<string>>>): string {
  const lines = Object.entries(env).map(([name, { value, from }]) => `    ${quoted(name)}: ${quoted(value)}, // ${oneLine(from)}`);
  return `{\n${lines.join('\n')}\n  }`;
}

/** `3000: EXPOSE in Dockerfile; 8080:80: …`, each source once. */
function sources(values: readonly Sourced<number | string>[]): string {
  return [...Map.groupBy(values, ({ from }) => from)]
    .map(([from, group]) => `${group.map(({ value }) => value).join(', ')}: ${from}.`)
    .join(' ');
}

const widest = 120;

/** On one line when it fits, else a member a line, as Prettier does. */
function format(value: unknown, indent: number): string {
  const line = inline(value);
  if (indent + line.length <= widest || typeof value !== 'object' || value === null) return line;
  const space = ' '.repeat(indent + 2);
  const parts = Array.isArray(value)
    ? value.map((item) => format(item, indent + 2))
    : Object.entries(value).map(([name, member]) => `${quoted(name)}: ${format(member, indent + 2)}`);
  const [open, close] = Array.isArray(value) ? ['[', ']'] : ['{', '}'];
  return `${open}\n${parts.map((part) => `${space}${part}`).join(',\n')}\n${' '.repeat(indent)}${close}`;
}

function inline(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(inline).join(', ')}]`;
  if (typeof value === 'string') return quoted(value);
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  return `{ ${Object.entries(value)
    .map(([name, member]) => `${quoted(name)}: ${inline(member)}`)
    .join(', ')} }`;
}

/** What a reader cannot see (controls, marks that reorder text) is written as an escape. */
function quoted(text: string): string {
  return JSON.stringify(text).replace(
    /[\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

function commentLines(text: string, indent: string): readonly string[] {
  const lines: string[] = [];
  for (const word of oneLine(text).split(' ')) {
    const last = lines.at(-1);
    if (last !== undefined && indent.length + 3 + last.length + 1 + word.length <= widest) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines.map((line) => `${indent}// ${line}`);
}

/** Names of files and images come from outside: a line break in one must not end the comment. */
function oneLine(text: string): string {
  return printable(text)
    .replaceAll(/[\s\u2028\u2029]+/g, ' ')
    .trim();
}
