import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { dispatch } from '../dispatch.ts';
import { shells, type Shell } from './script.ts';

let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'devenv-completion-'));
  mkdirSync(join(folder, 'sub folder'));
  writeFileSync(join(folder, 'other.json'), '');
  for (const shell of shells) writeFileSync(join(folder, shell), await scriptOf(shell));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** What is typed, and the words that must be and that must not be among the answers. */
const cases: readonly (readonly [string, readonly string[], readonly string[]])[] = [
  ['devenv ', ['up', 'init', 'completion'], ['--json']],
  ['devenv in', ['init'], ['up']],
  ['devenv --json st', ['status', 'stop'], ['up']],
  ['devenv -C /tmp st', ['status', 'stop'], ['up']],
  ['devenv --progress ', ['tty', 'plain'], ['up']],
  ['devenv up --no', ['--no-cache', '--no-color'], ['--force']],
  ['devenv init --', ['--from', '--ci', '--force', '--json'], ['--no-cache']],
  ['devenv init --ci ', ['github', 'gitlab'], ['debian']],
  ['devenv completion ', ['bash', 'zsh', 'fish'], []],
  ['devenv exec --w', ['--workdir'], ['--no-cache']],
  ['devenv up --config oth', ['other.json'], []],
];

describe('bash', () => {
  const answers = (line: string): readonly string[] => {
    const script = 'source ./bash; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _devenv 2> /dev/null; printf "%s\\n" "${COMPREPLY[@]}"';
    return lines('bash', ['--norc', '-c', script, 'bash', ...line.split(' ')]);
  };

  test.each(cases)('completes %j', (line, wanted, unwanted) => check(answers(line), wanted, unwanted));

  test.each([
    ['devenv init --ci = git', ['github', 'gitlab']],
    ['devenv exec ls --', []],
    ['devenv exec -u root -- --', []],
    ['devenv run -e A=1 ls ', []],
    ['devenv init --from ', []],
    ['devenv up --cwd sub', ['sub folder']],
  ])('of %j only what is ours to know', (line, wanted) => expect(answers(line).filter(Boolean)).toEqual(wanted));

  test('the script can be read by a shell that stops at the first mistake', () => {
    expect(spawnSync('bash', ['--norc', '-euc', 'source ./bash; complete -p devenv'], { cwd: folder, encoding: 'utf8' })).toMatchObject({
      status: 0,
      stdout: 'complete -o bashdefault -o default -F _devenv devenv\n',
      stderr: '',
    });
  });
});

describe.skipIf(isMissing('fish'))('fish', () => {
  test.each(cases)('completes %j', (line, wanted, unwanted) => {
    const answers = lines('fish', ['--no-config', '-c', 'source ./fish; complete -C $argv[1]', line]);
    check(
      answers.map((answer) => answer.split('\t')[0]!),
      wanted,
      unwanted,
    );
  });
});

describe.skipIf(isMissing('zsh'))('zsh', () => {
  /** Types into an interactive zsh, as only there completions are made, and shows what is on the screen: the first tab types what all answers begin with, the second lists them. */
  const typed = (line: string, wanted: readonly string[]): string => {
    const script = `zmodload zsh/zpty; zpty -b z "TERM=dumb zsh -f -i"
      see() { local out all=; integer tries=0; while [[ $all != *$1* ]] && ((tries++ < 300)); do while zpty -r -t z out; do all+=$out; done; sleep 0.05; done; print -r -- "$all" }
      zpty -w z 'COLUMNS=200; unsetopt ALWAYS_LAST_PROMPT; autoload -Uz compinit; compinit -u -D; source ./zsh; PROMPT="RE""ADY> "'
      see 'READY>' > /dev/null
      zpty -w -n z "$1"$'\\t\\t'
      see "$2"`;
    return spawnSync('zsh', ['-f', '-c', script, 'zsh', line, wanted.at(-1)!], { cwd: folder, encoding: 'utf8', timeout: 30_000 }).stdout;
  };

  test.each(['devenv -C /tmp st', 'devenv up --no', 'devenv init --ci ', 'devenv completion '])('completes %j', (line) => {
    const [, wanted] = cases.find(([each]) => each === line)!;
    expect(typed(line, wanted)).toContain(wanted.at(-1));
  });
});

test('a shell must be named, and be one that is known', async () => {
  expect(await scriptOf('')).toBe('');
  expect(await scriptOf('powershell')).toBe('');
});

async function scriptOf(shell: Shell | '' | 'powershell'): Promise<string> {
  let text = '';
  const out = vi.spyOn(process.stdout, 'write').mockImplementation((chunk: string | Uint8Array, ...[done]: unknown[]) => {
    text += String(chunk);
    if (typeof done === 'function') done();
    return true;
  });
  const error = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  try {
    expect(await dispatch('completion', shell === '' ? [] : [shell])).toBe((shells as readonly string[]).includes(shell) ? 0 : 2);
  } finally {
    out.mockRestore();
    error.mockRestore();
  }
  return text;
}

function check(answers: readonly string[], wanted: readonly string[], unwanted: readonly string[]): void {
  expect({ missing: wanted.filter((word) => !answers.includes(word)), wrong: unwanted.filter((word) => answers.includes(word)) }).toEqual({
    missing: [],
    wrong: [],
  });
}

function lines(program: string, args: readonly string[]): readonly string[] {
  return spawnSync(program, args, { cwd: folder, encoding: 'utf8' }).stdout.split('\n');
}

function isMissing(program: string): boolean {
  return spawnSync(program, ['-c', 'true']).error !== undefined;
}
