import { createServer, type AddressInfo } from 'node:net';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { breakOut, placeTargets } from '../packages/core/src/engine/suite/break-out.suite.ts';
import { debian, makeRig, type Rig } from './rig.ts';

let rig: Rig;
let cwd: string;
beforeAll(async () => {
  rig = await makeRig();
  cwd = rig.project({
    'devenv.json': { image: debian, steps: [{ name: 'look', run: 'ls -A > /seen; ls /proc | grep -c "^[0-9]*$" > /processes || true' }] },
    'workspace.txt': 'not declared',
  });
  await rig.ok(['up'], { cwd, env: { HOST_SECRET: 'leak' } });
});
afterAll(() => rig[Symbol.asyncDispose]());

const inside = async (script: string): Promise<string> =>
  (await rig.ok(['exec', '-u', 'root', '--', 'bash', '-c', script], { cwd, env: { HOST_SECRET: 'leak' } })).stdout;

test('a step sees no file of the workspace that it did not declare, and no process of the host', async () => {
  expect(await inside('cat /seen')).toBe('');
  expect(Number(await inside('cat /processes'))).toBeLessThan(6);
});

test('an environment sees its own processes only, and only the declared variables', async () => {
  expect(Number(await inside('ls -d /proc/[0-9]* | wc -l'))).toBeLessThan(6);
  expect(await inside('env')).not.toContain('leak');
  expect(await inside('cat /proc/*/environ | tr "\\0" "\\n"')).not.toContain('leak');
});

test("the host's loopback is out of reach, from a step and from an environment", async () => {
  const server = createServer((socket) => socket.end('host')).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  try {
    const knock = `for host in 127.0.0.1 localhost $(ip route 2>/dev/null | sed -n "s/default via \\([^ ]*\\).*/\\1/p") 10.0.2.2 169.254.1.1; do (exec 3<>/dev/tcp/$host/${port}; cat <&3) 2>/dev/null & done; wait`;
    expect(await inside(`timeout 5 bash -c '${knock}' || true`)).toBe('');
    const step = rig.project({
      'devenv.json': {
        image: debian,
        steps: [{ run: ['bash', '-c', `timeout 5 bash -c '${knock}' > /heard || true`] }, { run: 'test ! -s /heard' }],
      },
    });
    await rig.ok(['build'], { cwd: step });
  } finally {
    server.close();
  }
});

if (process.arch === 'x64')
  test('a program that tries every way out that is known finds none, from an environment and from a step', async () => {
    await using stack = new AsyncDisposableStack();
    const folder = join(rig.base, 'outside');
    const env = await placeTargets(stack, folder);
    const config = { image: debian, env, mounts: [{ type: 'bind', source: join(folder, 'shared'), target: '/shared' }] };
    const steps = [
      { copy: 'break-out.pl', to: '/break-out.pl' },
      { run: 'perl /break-out.pl > /got', env },
    ];
    const project = rig.project({ 'devenv.json': { ...config, steps }, 'break-out.pl': breakOut });
    await rig.ok(['up'], { cwd: project });
    const { stdout } = await rig.ok(['exec', '-u', 'root', '--', 'sh', '-c', 'cat /got; perl /break-out.pl'], { cwd: project });
    expect(stdout.replaceAll(/\d+$/gm, '')).toBe('tried \ntried \n');
    expect(readFileSync(join(folder, 'secret'), 'utf8')).toBe('of the host');
  });

test('it has its own namespaces, a seccomp filter, and the capabilities that Docker gives', async () => {
  expect(await inside('sed -n "s/^Seccomp:\\t//p; s/^CapBnd:\\t//p" /proc/self/status | sort')).toBe('00000000a80425fb\n2\n');
  const names = ['pid', 'net', 'ipc', 'mnt', 'uts', 'cgroup'];
  const own = (await inside(`cd /proc/self/ns; for n in ${names.join(' ')}; do readlink $n; done`)).trim().split('\n');
  const { readlinkSync } = await import('node:fs');
  for (const [index, name] of names.entries()) expect(own[index]).not.toBe(readlinkSync(`/proc/self/ns/${name}`));
});
