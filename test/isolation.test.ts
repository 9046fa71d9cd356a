import { createServer, type AddressInfo } from 'node:net';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
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

test('nothing outside the mounts can be written, mounted, loaded or traced', async () => {
  writeFileSync(join(rig.base, 'host-file'), 'host');
  const attempts = [
    'mount -t tmpfs none /mnt',
    'mount -t proc proc /mnt',
    'echo 1 > /proc/sys/kernel/panic',
    'echo b > /proc/sysrq-trigger',
    'mknod /tmp/disk b 254 0 && head -c 1 /tmp/disk',
    'cat /proc/kcore | head -c 1 | grep -q .',
    'hostname other',
    'unshare -m true',
    'dmesg',
    'ls /sys/firmware | grep -q .',
    'nsenter -t 1 -m -- ls /var/lib/dpkg/info/linux-image',
    `cat ${join(rig.base, 'host-file')}`,
  ];
  for (const attempt of attempts) {
    const result = await rig.devenv(['exec', '-u', 'root', '--', 'bash', '-c', attempt], { cwd });
    expect([attempt, result.exitCode === 0]).toEqual([attempt, false]);
  }
});

test('it has its own namespaces, a seccomp filter, and the capabilities that Docker gives', async () => {
  expect(await inside('sed -n "s/^Seccomp:\\t//p; s/^CapBnd:\\t//p" /proc/self/status | sort')).toBe('00000000a80425fb\n2\n');
  const names = ['pid', 'net', 'ipc', 'mnt', 'uts', 'cgroup'];
  const own = (await inside(`cd /proc/self/ns; for n in ${names.join(' ')}; do readlink $n; done`)).trim().split('\n');
  const { readlinkSync } = await import('node:fs');
  for (const [index, name] of names.entries()) expect(own[index]).not.toBe(readlinkSync(`/proc/self/ns/${name}`));
});
