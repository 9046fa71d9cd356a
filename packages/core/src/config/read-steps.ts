import type { AptStep, CopyStep, EnvStep, RunStep, Step } from './config.ts';
import { commandArguments } from './command-line.ts';
import { Members } from './members.ts';
import { containerPath, workspacePath, type PathBase } from './paths.ts';
import type { Problems } from './problems.ts';
import { packageNames } from './read-image.ts';
import { placeOf, type ObjectNode, type StringNode } from './tree.ts';

/** The steps in their normal form: two spellings of one step are equal afterwards, but for name and place. */
export function readSteps(root: Members, base: PathBase): readonly Step[] {
  return root.items('steps').flatMap((node) => (node.kind === 'object' ? [readStep(node, base, root.problems)] : []));
}

function readStep(node: ObjectNode, base: PathBase, problems: Problems): Step {
  const members = new Members(node, problems);
  if (node.members.has('run')) return runStep(node, members, base);
  if (node.members.has('copy')) return copyStep(node, members, base);
  if (node.members.has('apt')) return aptStep(node, members);
  return envStep(node, members);
}

function runStep(node: ObjectNode, members: Members, base: PathBase): RunStep {
  const { problems } = members;
  const written = members.get('run');
  const args = (written && commandArguments(written, problems)) ?? [];
  const workdir = members.text('workdir');
  return {
    kind: 'run',
    name: members.text('name') ?? shortName(args.join(' ')),
    place: placeOf(node),
    command: written?.kind === 'string' ? ['/bin/sh', '-c', ...args] : args,
    inputs: inputs(members, base),
    outputs: outputs(members, base),
    env: members.textsByName('env'),
    user: members.text('user'),
    workdir: workdir === undefined ? undefined : containerPath(workdir),
    cache: caches(members),
    secrets: sorted(members.texts('secrets')),
    network: members.flag('network', true),
  };
}

/** What is seen first, then what `!` takes out of it, each sorted: the order written changes nothing. */
function inputs(members: Members, base: PathBase): readonly string[] {
  const seen: string[] = [];
  const excluded: string[] = [];
  for (const node of members.strings('inputs')) {
    const excludes = node.value.startsWith('!');
    const path = notEmpty(node, node.value.slice(excludes ? 1 : 0), members.problems, (text) =>
      workspacePath(node, text, base, members.problems),
    );
    if (path !== undefined) (excludes ? excluded : seen).push(excludes ? `!${path}` : path);
  }
  return [...sorted(seen), ...sorted(excluded)];
}

function outputs(members: Members, base: PathBase): readonly string[] {
  const { problems } = members;
  const paths: string[] = [];
  for (const node of members.strings('outputs')) {
    const path = workspacePath(node, node.value, base, problems);
    if (path === '.')
      problems.add('BAD_VALUE', node, 'The whole workspace cannot be an output.', 'name the directories that the step makes');
    else if (path && /[*?]|^!/.test(path)) problems.add('BAD_VALUE', node, 'An output is a directory, not a pattern.');
    else if (path !== undefined) paths.push(path);
  }
  return sorted(paths.filter((path) => !paths.some((other) => path.startsWith(`${other}/`))));
}

function caches(members: Members): readonly string[] {
  const paths = members.strings('cache').map((node) => {
    const path = containerPath(node.value);
    if (path === '/') members.problems.add('BAD_VALUE', node, 'The whole file system cannot be a cache.');
    return path;
  });
  return sorted(paths);
}

function copyStep(node: ObjectNode, members: Members, base: PathBase): CopyStep {
  const { problems } = members;
  const one = members.string('copy');
  const sources = one ? [one] : members.strings('copy');
  const from = sorted(sources.flatMap((source) => workspacePath(source, source.value, base, problems) ?? []));
  const to = members.string('to');
  if (to && !to.value.endsWith('/') && (from.length > 1 || from.some((path) => /[*?{[]/.test(path)))) {
    problems.add(
      'BAD_VALUE',
      to,
      'Several files cannot be copied to one.',
      `write ${JSON.stringify(`${to.value}/`)} to copy into a directory`,
    );
  }
  const mode = members.text('mode');
  return {
    kind: 'copy',
    name: members.text('name') ?? shortName(`copy ${from.join(' ')}`),
    place: placeOf(node),
    from,
    to: containerPath(to?.value ?? '/', { keepSlash: true }),
    mode: mode === undefined ? undefined : Number.parseInt(mode, 8),
    owner: members.text('owner'),
  };
}

function aptStep(node: ObjectNode, members: Members): AptStep {
  const packages = packageNames(members, 'apt');
  return { kind: 'apt', name: members.text('name') ?? shortName(`apt ${packages.join(' ')}`), place: placeOf(node), packages };
}

function envStep(node: ObjectNode, members: Members): EnvStep {
  const env = members.textsByName('env');
  return { kind: 'env', name: members.text('name') ?? shortName(`env ${Object.keys(env).join(' ')}`), place: placeOf(node), env };
}

/** Room for a number, a state and a time beside it in a narrow terminal. */
const longestName = 40;

/** The first line with something in it, shortened. */
function shortName(text: string): string {
  const line = text
    .split('\n')
    .map((each) => each.trim())
    .find((each) => each !== '');
  const characters = [...(line ?? '').replace(/\p{Cc}+/gu, ' ')];
  return characters.length > longestName ? `${characters.slice(0, longestName - 1).join('')}…` : characters.join('');
}

function notEmpty<T>(node: StringNode, text: string, problems: Problems, read: (text: string) => T): T | undefined {
  if (text !== '') return read(text);
  problems.add('BAD_VALUE', node, 'A path is missing here.');
  return undefined;
}

function sorted(texts: readonly string[]): readonly string[] {
  return [...new Set(texts)].toSorted();
}
