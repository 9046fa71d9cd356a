import { cpSync, existsSync, globSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { makeRig, traces, type Rig } from './rig.ts';

const examples = fileURLToPath(new URL('../examples', import.meta.url));

let rig: Rig;
beforeAll(async () => {
  rig = await makeRig();
});
afterAll(() => rig[Symbol.asyncDispose]());

/** A copy: the checkout stays as it is. */
function copyOf(name: string): string {
  const folder = rig.project({}, name);
  cpSync(join(examples, name), folder, { recursive: true, filter: (path) => !path.endsWith('/node_modules') });
  return folder;
}

function edit(path: string, before: string, after: string): void {
  const text = readFileSync(path, 'utf8');
  expect(text).toContain(before);
  writeFileSync(path, text.replace(before, after));
}

test('every example has a devenv.json, a README of a few lines, and no address in its lock file', () => {
  const names = readdirSync(examples);
  expect(names.toSorted()).toEqual(['hello', 'node', 'python', 'web']);
  for (const name of names) {
    expect(existsSync(join(examples, name, 'devenv.json'))).toBe(true);
    expect(
      readFileSync(join(examples, name, 'README.md'), 'utf8')
        .trimEnd()
        .split('\n').length,
    ).toBeLessThanOrEqual(6);
  }
  for (const lock of globSync('*/package-lock.json', { cwd: examples }))
    expect(readFileSync(join(examples, lock), 'utf8')).not.toContain('"resolved"');
});

test('C: a changed source builds the program again and leaves the compiler alone', async () => {
  const cwd = copyOf('hello');
  await rig.ok(['up'], { cwd });
  const greeting = (await rig.ok(['exec', 'hello'], { cwd })).stdout;
  expect(greeting).toMatch(/^Hello/);
  edit(join(cwd, 'hello.c'), 'int main', '/* changed */\nint main');
  expect((await rig.ok(['why', 'program'], { cwd })).stdout).toContain('input hello.c changed');
  expect((await rig.ok(['up', '--json'], { cwd })).json).toMatchObject({ built: 1, cached: 1, action: 'recreated' });
  expect((await rig.ok(['exec', 'hello'], { cwd })).stdout).toBe(greeting);
});

test('Node: npm ci is a cached step, npm test passes from the workspace, the host gets no packages', async () => {
  const cwd = copyOf('node');
  await rig.ok(['up'], { cwd });
  const tested = await rig.ok(['exec', 'npm', 'test'], { cwd });
  expect(tested.stdout).toContain('# pass 2');
  expect(readdirSync(join(cwd, 'node_modules'))).toEqual([]);

  await rig.ok(['exec', 'rm', '-r', 'node_modules/mdurl'], { cwd });
  expect((await rig.devenv(['exec', 'npm', 'test'], { cwd })).exitCode).not.toBe(0);
  await rig.ok(['down'], { cwd });
  expect((await rig.ok(['up', '--json'], { cwd })).json).toMatchObject({ built: 0, cached: 2 });
  await rig.ok(['exec', 'npm', 'test'], { cwd });

  edit(join(cwd, 'package.json'), '"version": "1.0.0"', '"version": "1.0.1"');
  const plan = (await rig.ok(['plan', '--json'], { cwd })).json as { steps: { name: string; state: string }[] };
  expect(plan.steps.filter((step) => step.state === 'runs').map((step) => step.name)).toEqual(['deps']);
}, 400_000); // apt fetches and unpacks some 400 packages

test('Python: the tests pass on what a step without network has made; a changed argument makes it anew', async () => {
  const cwd = copyOf('python');
  await rig.ok(['up'], { cwd });
  expect((await rig.ok(['exec', 'python3', '-m', 'unittest'], { cwd })).stderr).toMatch(/Ran 2 tests[^]*OK/);
  expect(existsSync(join(cwd, '__pycache__'))).toBe(false);

  edit(join(cwd, 'devenv.json'), '"MINIMUM_POPULATION": "1000000"', '"MINIMUM_POPULATION": "9000000"');
  expect((await rig.ok(['why', 'database'], { cwd })).stdout).toContain('argument MINIMUM_POPULATION changed: 1000000 → 9000000');
  await rig.ok(['up'], { cwd });
  expect((await rig.ok(['exec', 'python3', 'cities.py', '9'], { cwd })).stdout).toBe('Lagos\nLima\n');
});

test('web: up --run waits until the service is well; it answers here, within its limits, and its volume outlives it', async () => {
  const cwd = copyOf('web');
  edit(join(cwd, 'devenv.json'), '"ports": [8080]', '"ports": ["0:8080"]');
  const up = (await rig.ok(['up', '--run', '--json'], { cwd })).json as { addresses: string[]; containerId: string; cached: number };
  expect(up.cached).toBe(1); // the step that examples/python has as well
  expect(await get(up)).toBe('visit 1\n');
  expect(await get(up)).toBe('visit 2\n');
  expect((await rig.ok(['logs'], { cwd })).stdout).toContain('serving at port 8080');
  expect((await rig.ok(['status', '--json'], { cwd })).json).toMatchObject({ state: 'running', stale: false, healthy: true });
  const crowd = await rig.devenv(['exec', 'sh', '-c', 'for i in $(seq 70); do sleep 1 & done'], { cwd });
  expect(crowd.stderr).toContain('Cannot fork');

  await rig.ok(['down'], { cwd });
  expect(traces(up.containerId)).toEqual([]);
  const again = (await rig.ok(['up', '--run', '--json'], { cwd })).json as { addresses: string[]; built: number };
  expect(again.built).toBe(0);
  expect(await get(again)).toBe('visit 3\n');
  await rig.ok(['down', '--volumes'], { cwd });
  const fresh = (await rig.ok(['up', '--run', '--json'], { cwd })).json as { addresses: string[] };
  expect(await get(fresh)).toBe('visit 1\n');
});

async function get({ addresses }: { readonly addresses: readonly string[] }): Promise<string> {
  return (await fetch(`http://${addresses[0]}/`)).text();
}
