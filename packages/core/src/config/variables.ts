import { nearest } from '../base/did-you-mean.ts';
import type { Problems } from './problems.ts';
import { spotInside, type Member, type Node, type ObjectNode, type StringNode } from './tree.ts';
import { usesOf, type Uses } from './variable-uses.ts';

export interface VariableValues {
  /** The caller's environment. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly workspaceFolder: string;
  readonly containerWorkspaceFolder: string;
}

/**
 * Replaces `${containerEnv:NAME}` and `${containerEnv:NAME:default}` by the image's value; a name that is not set and has no
 * default gives nothing, as in a shell. `$${` becomes `${`. Everything else stays.
 */
export function fillContainerEnv(value: string, env: Readonly<Record<string, string>>): string {
  return value.replace(variable, (text: string, inside: string | undefined) => {
    if (inside === undefined) return '${';
    const { name, argument } = split(inside);
    if (name !== 'containerEnv' || argument === undefined) return text;
    const { name: wanted, argument: fallback } = split(argument);
    return (Object.hasOwn(env, wanted) ? env[wanted] : fallback) ?? '';
  });
}

/** Fills the variables of every text by the rules of its place; a text with a mistake stays as it is and is marked bad. */
export function fillVariables(root: ObjectNode, values: VariableValues, problems: Problems): ObjectNode {
  return fillNode(root, [], values, problems) as ObjectNode;
}

/** `${…}`, or the escape `$${`. */
const variable = /\$\$\{|\$\{([^}]*)\}/g;

const names = ['localEnv', 'workspaceFolder', 'containerWorkspaceFolder', 'containerEnv'] as const;

/** What other tools call them. */
const otherNames: Readonly<Record<string, string>> = {
  localWorkspaceFolder: 'workspaceFolder',
  env: 'localEnv',
  remoteEnv: 'containerEnv',
};

function fillNode(node: Node, path: readonly string[], values: VariableValues, problems: Problems): Node {
  switch (node.kind) {
    case 'object': {
      const members = new Map<string, Member>();
      for (const [name, { key, value }] of node.members)
        members.set(name, { key, value: fillNode(value, [...path, name], values, problems) });
      return { ...node, members };
    }
    case 'array':
      return { ...node, items: node.items.map((item) => fillNode(item, path, values, problems)) };
    case 'string':
      return node.value.includes('${') ? fillText(node, usesOf(path), values, problems) : node;
    default:
      return node;
  }
}

function fillText(node: StringNode, uses: Uses | 'untouched', values: VariableValues, problems: Problems): StringNode {
  if (uses === 'untouched') return node;
  let good = true;
  const fail: Fail = (code, index, message, hint) => {
    good = false;
    problems.add(code, spotInside(node, index), message, hint);
    problems.markBad(node);
    return '';
  };
  const value = node.value.replace(variable, (text: string, inside: string | undefined, index: number) => {
    // Where `${containerEnv}` stays for later, so does the escape: fillContainerEnv takes it away.
    if (inside === undefined) return uses.shell || uses.containerEnv ? text : '${';
    return fillOne(text, inside, uses, values, (code, message, hint) => fail(code, index, message, hint));
  });
  const open = /\$\{[^}]*$/.exec(node.value);
  if (open && !uses.shell && node.value[open.index - 1] !== '$')
    fail('UNKNOWN_VARIABLE', open.index, 'This variable has no closing }.', 'write $${ for a plain ${');
  return good ? { ...node, value } : node;
}

type Fail = (code: 'UNKNOWN_VARIABLE' | 'VARIABLE_NOT_ALLOWED', index: number, message: string, hint?: string) => string;
type FailHere = (code: 'UNKNOWN_VARIABLE' | 'VARIABLE_NOT_ALLOWED', message: string, hint?: string) => string;

function fillOne(text: string, inside: string, uses: Uses, values: VariableValues, fail: FailHere): string {
  const { name, argument } = split(inside);
  switch (name) {
    case 'localEnv':
      if (!uses.localEnv)
        return fail(
          'VARIABLE_NOT_ALLOWED',
          `\${localEnv} cannot be used in ${uses.place}: it would split the team's cache.`,
          uses.localEnvHint?.(split(argument ?? '').name),
        );
      return localEnv(text, argument, values.env, fail);
    case 'workspaceFolder':
      if (!uses.workspaceFolder)
        return fail(
          'VARIABLE_NOT_ALLOWED',
          `\${workspaceFolder} cannot be used in ${uses.place}: it is another path on every machine.`,
          uses.workspaceFolderHint,
        );
      return argument === undefined ? values.workspaceFolder : fail('UNKNOWN_VARIABLE', `\${workspaceFolder} takes no argument.`);
    case 'containerWorkspaceFolder':
      if (!uses.containerWorkspaceFolder)
        return fail('VARIABLE_NOT_ALLOWED', `\${containerWorkspaceFolder} cannot be used in ${uses.place}.`);
      return argument === undefined
        ? values.containerWorkspaceFolder
        : fail('UNKNOWN_VARIABLE', `\${containerWorkspaceFolder} takes no argument.`);
    case 'containerEnv':
      if (!argument)
        return uses.shell && argument === undefined
          ? text
          : fail('UNKNOWN_VARIABLE', '${containerEnv} needs a name.', 'for example ${containerEnv:PATH}');
      if (!uses.containerEnv)
        return fail(
          'VARIABLE_NOT_ALLOWED',
          `\${containerEnv} cannot be used in ${uses.place}.`,
          uses.shell ? `a shell inside knows it as $${split(argument).name}` : 'it is known in the values of "env" only',
        );
      return text;
    default:
      return unknown(text, name, argument, uses, fail);
  }
}

function localEnv(text: string, argument: string | undefined, env: VariableValues['env'], fail: FailHere): string {
  if (!argument || argument.startsWith(':')) return fail('UNKNOWN_VARIABLE', '${localEnv} needs a name.', 'for example ${localEnv:USER}');
  const { name, argument: fallback } = split(argument);
  const value = (Object.hasOwn(env, name) ? env[name] : undefined) ?? fallback;
  if (value !== undefined) return value;
  return fail(
    'UNKNOWN_VARIABLE',
    `${name} is not set in your environment, and ${text} has no default.`,
    `set it, or give a default: \${localEnv:${name}:…} (nothing after the colon: empty)`,
  );
}

/** In a command, what is no variable of ours is the shell's own, unless it is nearly one of ours. */
function unknown(text: string, name: string, argument: string | undefined, uses: Uses, fail: FailHere): string {
  const meant = otherNames[name] ?? (name.length > 4 ? nearest(name, names) : undefined);
  if (uses.shell && (!meant || name === 'env')) return text;
  const example = meant === 'localEnv' || meant === 'containerEnv' ? `\${${meant}:${argument || 'NAME'}}` : `\${${meant}}`;
  return fail(
    'UNKNOWN_VARIABLE',
    `There is no ${JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text)}.`,
    meant ? `did you mean ${example}?` : `there are ${names.join(', ')}; write $\${ for a plain \${`,
  );
}

/** At the first colon: a default may hold colons. */
function split(text: string): { readonly name: string; readonly argument: string | undefined } {
  const colon = text.indexOf(':');
  return colon < 0 ? { name: text, argument: undefined } : { name: text.slice(0, colon), argument: text.slice(colon + 1) };
}
