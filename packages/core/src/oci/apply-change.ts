import { UserError } from '../base/errors.ts';

type RawConfig = Readonly<Record<string, unknown>>;

/**
 * Applies one line of a Dockerfile to an image's `config`, as `docker commit --change` and `docker import --change` do: CMD,
 * ENTRYPOINT, ENV, EXPOSE, LABEL, ONBUILD, STOPSIGNAL, USER, VOLUME, WORKDIR.
 * @throws UserError BAD_VALUE
 */
export function applyChange(config: RawConfig, line: string): RawConfig {
  const match = /^\s*([A-Za-z]+)\s+(.*\S)\s*$/s.exec(line);
  const [, word = '', rest = ''] = match ?? [];
  switch (word.toUpperCase()) {
    case 'CMD':
      return { ...config, Cmd: commandOf(rest) };
    case 'ENTRYPOINT':
      // As in a Dockerfile: the command belonged to the entrypoint before.
      return { ...config, Entrypoint: commandOf(rest), Cmd: null };
    case 'ENV':
      return { ...config, Env: withVariables(textsOf(config['Env']), pairsOf(rest, line)) };
    case 'LABEL':
      return { ...config, Labels: { ...objectOf(config['Labels']), ...Object.fromEntries(pairsOf(rest, line)) } };
    case 'EXPOSE':
      return { ...config, ExposedPorts: { ...objectOf(config['ExposedPorts']), ...keys(wordsOf(rest).map((port) => portOf(port, line))) } };
    case 'VOLUME':
      return { ...config, Volumes: { ...objectOf(config['Volumes']), ...keys(listOf(rest) ?? wordsOf(rest)) } };
    case 'USER':
      return { ...config, User: rest };
    case 'WORKDIR': {
      const before = typeof config['WorkingDir'] === 'string' && config['WorkingDir'] !== '' ? config['WorkingDir'] : '/';
      return { ...config, WorkingDir: rest.startsWith('/') ? rest : `${before.replace(/\/$/, '')}/${rest}` };
    }
    case 'STOPSIGNAL':
      return { ...config, StopSignal: rest };
    case 'ONBUILD':
      return { ...config, OnBuild: [...textsOf(config['OnBuild']), rest] };
    default:
      throw bad(line, 'it begins with none of CMD, ENTRYPOINT, ENV, EXPOSE, LABEL, ONBUILD, STOPSIGNAL, USER, VOLUME, WORKDIR');
  }
}

/** The form of a list, or a line for the shell. */
function commandOf(text: string): readonly string[] {
  return listOf(text) ?? ['/bin/sh', '-c', text];
}

function listOf(text: string): readonly string[] | undefined {
  if (!text.startsWith('[')) return undefined;
  try {
    const list: unknown = JSON.parse(text);
    if (Array.isArray(list) && list.every((word): word is string => typeof word === 'string')) return list;
  } catch {
    // As Docker: what is no list of strings is a line for the shell.
  }
  return undefined;
}

/** Words with quotes and backslashes as a Dockerfile has them. */
function wordsOf(text: string): readonly string[] {
  const words: string[] = [];
  let word: string | undefined;
  let quote = '';
  for (let at = 0; at < text.length; at++) {
    const character = text[at]!;
    if (character === '\\' && quote !== "'" && at + 1 < text.length) word = (word ?? '') + text[++at]!;
    else if (quote !== '' && character === quote) quote = '';
    else if (quote === '' && (character === '"' || character === "'")) [quote, word] = [character, word ?? ''];
    else if (quote === '' && /\s/.test(character)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else word = (word ?? '') + character;
  }
  return word === undefined ? words : [...words, word];
}

/** `A=1 B="two words"`, or `A the rest of the line`. */
function pairsOf(text: string, line: string): readonly (readonly [string, string])[] {
  const words = wordsOf(text);
  if (!words[0]?.includes('=')) {
    const [, name, value] = /^(\S+)\s+(.*)$/s.exec(text) ?? [];
    if (name === undefined || value === undefined) throw bad(line, 'a value is missing');
    return [[name, value]];
  }
  return words.map((word) => {
    const equals = word.indexOf('=');
    if (equals < 1) throw bad(line, `${JSON.stringify(word)} is no NAME=value`);
    return [word.slice(0, equals), word.slice(equals + 1)];
  });
}

function withVariables(before: readonly string[], pairs: readonly (readonly [string, string])[]): readonly string[] {
  const variables = new Map(before.map((entry) => [entry.split('=', 1)[0]!, entry]));
  for (const [name, value] of pairs) variables.set(name, `${name}=${value}`);
  return [...variables.values()];
}

function portOf(text: string, line: string): string {
  if (!/^[0-9]+(?:\/(?:tcp|udp|sctp))?$/.test(text)) throw bad(line, `${JSON.stringify(text)} is no port`);
  return text.includes('/') ? text : `${text}/tcp`;
}

function keys(names: readonly string[]): Record<string, object> {
  return Object.fromEntries(names.map((name) => [name, {}]));
}

function objectOf(value: unknown): object {
  return typeof value === 'object' && value !== null ? value : {};
}

function textsOf(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((text) => typeof text === 'string') : [];
}

function bad(line: string, why: string): UserError {
  return new UserError('BAD_VALUE', `The change ${JSON.stringify(line)} is not understood: ${why}.`, {
    hint: 'Write it as a line of a Dockerfile: ENV A=1, CMD ["sh"], EXPOSE 80',
  });
}
