import { DockerfileParser, type Instruction } from 'dockerfile-ast';
import { posix } from 'node:path';
import {
  acceptableImage,
  acceptablePackage,
  acceptableUser,
  acceptableVariable,
  acceptableWorkspace,
  isProductionMode,
  literal,
  shellText,
} from './acceptable.ts';
import { aptPackages } from './apt-packages.ts';
import { parseJson } from './document.ts';
import { parseExposed } from './port.ts';
import type { CommandValue, Finding, Sourced } from './proposal.ts';

/** One `FROM` and what follows it. */
interface Stage {
  readonly name: string | undefined;
  /** The image it stands on in the end, by way of earlier stages; undefined when a variable without value is in its name. */
  readonly image: string | undefined;
  readonly variables: Map<string, string>;
  readonly env: Map<string, string>;
  readonly packages: Set<string>;
  readonly ports: Set<string>;
  workdir: string;
  user: string | undefined;
  command: CommandValue | undefined;
}

/**
 * What a Dockerfile says about the environment. The settings are those of its last stage, which is what production runs; the
 * base is that of the last stage whose image `suits`, since a last stage often holds only what was built before.
 */
export function readDockerfile(text: string, file: string, suits: (image: string) => boolean): Finding | undefined {
  const stages = readStages(DockerfileParser.parse(text).getInstructions());
  const last = stages.at(-1);
  if (!last) return undefined;
  const base = stages.findLast(
    (stage) => stage.image !== undefined && acceptableImage(stage.image) && stage.image !== 'scratch' && suits(stage.image),
  );
  const from = (instruction: string): string => `${instruction} in ${file}`;
  const notes: string[] = [];
  const env: Record<string, Sourced<string>> = {};
  for (const [name, value] of last.env) {
    if (isProductionMode(name, value)) notes.push(`${file} sets ${name}=${value}: left out, so that what development needs is installed.`);
    else if (acceptableVariable(name)) env[name] = { value, from: from('ENV') };
  }
  if (last.image !== undefined && base !== last)
    notes.push(`${file} runs on ${last.image} in the end${base ? `; its stage on ${base.image} has the tools` : ''}.`);
  const packages = [...new Set([...(base?.packages ?? []), ...last.packages])].filter(acceptablePackage).toSorted();
  const workspace = acceptableWorkspace(last.workdir);
  const user = last.user === undefined ? undefined : acceptableUser(last.user);
  const command = last.command === undefined ? undefined : shellText({ value: last.command, from: from('CMD') });
  return {
    ...(base ? { image: { value: base.image!, from: from('FROM') } } : {}),
    ...(workspace === undefined ? {} : { workspace: { value: workspace, from: from('WORKDIR') } }),
    ...(user === undefined ? {} : { user: { value: user, from: from('USER') } }),
    ...(packages.length === 0 ? {} : { packages: { value: packages, from: from('apt-get install') } }),
    ...(command ? { command } : {}),
    env,
    ports: [...last.ports].flatMap((port) => {
      const value = parseExposed(port);
      return value === undefined ? [] : [{ value, from: from('EXPOSE') }];
    }),
    notes,
  };
}

function readStages(instructions: readonly Instruction[]): readonly Stage[] {
  const stages: Stage[] = [];
  const global = new Map<string, string>();
  for (const instruction of instructions) {
    const stage = stages.at(-1);
    const keyword = instruction.getKeyword();
    if (keyword === 'FROM') stages.push(newStage(instruction, stages, global));
    else if (keyword === 'ARG') declare(instruction, stage?.variables ?? global, stage ? global : undefined);
    else if (stage) readInstruction(keyword, instruction, stage);
  }
  return stages;
}

function newStage(instruction: Instruction, stages: readonly Stage[], global: ReadonlyMap<string, string>): Stage {
  const words = wordsOf(instruction).filter((word) => !word.startsWith('--'));
  const image = expand(words[0] ?? '', global);
  const name = words[1]?.toUpperCase() === 'AS' ? words[2] : undefined;
  const parent = stages.find((stage) => stage.name !== undefined && stage.name.toLowerCase() === image?.toLowerCase());
  return {
    name,
    image: parent ? parent.image : image,
    variables: new Map(parent?.variables),
    env: new Map(parent?.env),
    packages: new Set(parent?.packages),
    ports: new Set(parent?.ports),
    workdir: parent?.workdir ?? '/',
    user: parent?.user,
    command: parent?.command,
  };
}

/** `ARG NAME=value`; without a value in a stage, it is that of the same name before the first FROM. */
function declare(instruction: Instruction, variables: Map<string, string>, outer: ReadonlyMap<string, string> | undefined): void {
  for (const word of wordsOf(instruction)) {
    const equals = word.indexOf('=');
    const name = equals < 0 ? word : word.slice(0, equals);
    const value = equals < 0 ? outer?.get(name) : expand(unquote(word.slice(equals + 1)), variables);
    if (value !== undefined) variables.set(name, value);
  }
}

function readInstruction(keyword: string, instruction: Instruction, stage: Stage): void {
  const content = instruction.getArgumentsContent() ?? '';
  switch (keyword) {
    case 'ENV':
      for (const [name, written] of variablesOf(instruction)) {
        const value = expand(written, stage.variables, name);
        if (value === undefined) continue;
        stage.env.set(name, value);
        stage.variables.set(name, value);
      }
      return;
    case 'EXPOSE':
      for (const word of wordsOf(instruction)) stage.ports.add(expand(word, stage.variables) ?? '');
      return;
    case 'WORKDIR':
      stage.workdir = posix.join('/', posix.resolve(stage.workdir, expand(unquote(content.trim()), stage.variables) ?? '/'));
      return;
    case 'USER':
      stage.user = expand(content.trim(), stage.variables);
      return;
    case 'RUN':
      for (const name of aptPackages(content)) stage.packages.add(name);
      return;
    case 'CMD':
      stage.command = commandOf(content);
      return;
  }
}

function commandOf(content: string): CommandValue | undefined {
  if (!content.trimStart().startsWith('[')) return content.trim() || undefined;
  const words = parseJson(content);
  return Array.isArray(words) && words.length > 0 && words.every((word) => typeof word === 'string') ? words : undefined;
}

function variablesOf(instruction: Instruction): readonly (readonly [string, string])[] {
  const { getProperties } = instruction as { getProperties?: () => { getName(): string; getValue(): string | null }[] };
  return (getProperties?.call(instruction) ?? []).flatMap((property) => {
    const value = property.getValue();
    return value === null ? [] : [[property.getName(), value] as const];
  });
}

function wordsOf(instruction: Instruction): readonly string[] {
  return instruction.getArguments().map((argument) => argument.getValue());
}

/**
 * With the variables filled in. A variable of `ENV` that nobody has set is the image's own, in our words; elsewhere it makes the text
 * undefined.
 */
function expand(text: string, variables: ReadonlyMap<string, string>, forVariable?: string): string | undefined {
  let known = true;
  const result = text.replace(
    /\\\$|\$\{(\w+)(?::?([-+])([^}]*))?\}|\$(\w+)|\$\{/g,
    (match: string, braced?: string, operator?: string, word?: string, bare?: string) => {
      if (match === '\\$') return '$';
      const name = braced ?? bare;
      if (name === undefined) return forVariable === undefined ? match : literal(match);
      const value = variables.get(name);
      if (operator === '+') return value === undefined ? '' : word!;
      if (value !== undefined) return value;
      if (operator === '-') return word!;
      if (forVariable !== undefined) return `\${containerEnv:${name}}`;
      known = false;
      return '';
    },
  );
  return known ? result : undefined;
}

function unquote(text: string): string {
  return /^(["'])(.*)\1$/s.exec(text)?.[2] ?? text;
}
