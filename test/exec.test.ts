import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { debian, launcher, makeRig, runProcess, type Rig } from './rig.ts';

let rig: Rig;
let cwd: string;
beforeAll(async () => {
  rig = await makeRig();
  cwd = rig.project({ 'devenv.json': { image: debian, user: 'dev', limits: { memory: '64m', pids: 50 } }, 'not-executable': 'text' });
  await rig.ok(['up'], { cwd });
});
afterAll(() => rig[Symbol.asyncDispose]());

test.each([
  [['true'], 0],
  [['sh', '-c', 'exit 42'], 42],
  [['sh', '-c', 'kill -TERM $$'], 143],
  [['no-such-command'], 127],
  [['/workspace/not-executable'], 126],
  [['-w', '/no/such/place', 'true'], 125],
  [['-u', 'nobody-of-this-name', 'true'], 125],
])('exec %j ends with %i', async (args, code) => {
  const result = await rig.devenv(['exec', ...args], { cwd });
  expect(result.exitCode).toBe(code);
  expect(result.stderr).not.toContain('    at ');
  if (code >= 125 && code <= 127) expect(result.stderr).not.toBe('');
});

test("a command's own flags need no dashes before them", async () => {
  expect((await rig.ok(['exec', 'printf', '%s|', '-la', '--json', '--'], { cwd })).stdout).toBe('-la|--json|--|');
});

test('variables, user and directory can be given', async () => {
  const { stdout } = await rig.ok(
    ['exec', '-e', 'A=1', '--env', 'B=2 3', '-u', 'root', '-w', '/tmp', '--', 'sh', '-c', 'echo $A $B; id -un; pwd'],
    { cwd },
  );
  expect(stdout).toBe('1 2 3\nroot\n/tmp\n');
});

test('bytes pass untouched in both directions', async () => {
  const bytes = Buffer.from(Array.from({ length: 70_000 }, (_, index) => (index * 7) % 256));
  const { stdout } = await rig.ok(['exec', 'sha256sum'], { cwd, input: bytes });
  const { stdout: expected } = await runProcess('sha256sum', [], { input: bytes });
  expect(stdout).toBe(expected);
});

test('running out of memory is named, and costs only the command', async () => {
  const result = await rig.devenv(['exec', 'sh', '-c', 'x=$(head -c 200000000 /dev/zero | tr "\\0" x); echo ${#x}'], { cwd });
  expect(result.exitCode).toBe(137);
  expect(result.stderr).toMatch(/out of memory/i);
  await rig.ok(['exec', 'true'], { cwd });
});

test('SIGTERM to devenv exec reaches the command, which may answer it', async () => {
  const child = spawn(launcher, ['exec', '--', 'sh', '-c', 'trap "echo got it; exit 9" TERM; echo ready; while :; do sleep 0.1; done'], {
    cwd,
    env: { PATH: process.env['PATH'], HOME: rig.base, DEVENV_BASE_DIR: rig.base },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString();
    if (output === 'ready\n') child.kill('SIGTERM');
  });
  expect(await once(child, 'close')).toEqual([9, null]);
  expect(output).toBe('ready\ngot it\n');
});

test('files and devices of the host that a command reads and writes keep their owner; what it says in one file keeps its order', async () => {
  const place = (name: string): string => join(rig.base, name);
  writeFileSync(place('in'), 'text', { mode: 0o600 });
  const script = [
    `${launcher} exec cat < in > out`,
    `${launcher} exec sh -c 'for i in 1 2 3; do echo $i; echo $i >&2; done; echo 4 > /dev/stderr' > both 2>&1`,
    `${launcher} exec true < /dev/null 2> /dev/null > /dev/null`,
    `${launcher} run cat < in > ran 2> progress`,
  ].join(' && ');
  const { exitCode, stderr } = await runProcess('sh', ['-c', script.replaceAll('devenv ', `devenv -C ${cwd} `)], {
    cwd: rig.base,
    env: { PATH: process.env['PATH']!, HOME: rig.base, DEVENV_BASE_DIR: rig.base },
  });
  expect([exitCode, stderr]).toEqual([0, '']);
  expect(['out', 'both', 'ran'].map((name) => readFileSync(place(name), 'utf8'))).toEqual(['text', '1\n1\n2\n2\n3\n3\n4\n', 'text']);
  const own = process.getuid!();
  for (const path of ['in', 'out', 'both', 'ran', 'progress'].map(place)) expect([path, statSync(path).uid]).toEqual([path, own]);
  expect(statSync('/dev/null').uid).toBe(0);
});

test('a directory is meant from the workspace on', async () => {
  await rig.ok(['exec', 'mkdir', '-p', 'deep/er'], { cwd });
  expect((await rig.ok(['exec', '-w', 'deep/er', 'pwd'], { cwd })).stdout).toBe('/workspace/deep/er\n');
});

test('a terminal inside without one outside is refused in plain words', async () => {
  const result = await rig.devenv(['exec', '-t', 'true'], { cwd });
  expect([result.exitCode, result.stderr]).toEqual([125, expect.stringContaining('leave -t away')]);
});
