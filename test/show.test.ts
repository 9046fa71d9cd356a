import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { startDocker } from '../packages/core/src/engine/embedded/docker.suite.ts';
import { startRealRegistry } from '../packages/core/src/registry/real-registry.suite.ts';
import { makeEmptyRig, type Rig } from './rig.ts';
import { writeBusyboxLayout } from './tiny-image.ts';

const htpasswd = 'user:$2b$05$p.8uOQjzSEPwECDLWCR.GujR4NzBPaZWja6zMsb/iVaQf2MGhfxSu\n'; // secret
const file = {
  name: 'shop',
  image: { layout: '../../source' },
  steps: [
    { name: 'slow', run: 'sleep 1; cat /proc/sys/kernel/random/uuid > /made; chmod 640 /made; ln /made /same' },
    { env: { GREETING: 'good morning' } },
    { name: 'app', run: 'sleep 1; mkdir -p /app; cp app.txt /app/; cat /made >> /app/app.txt', inputs: ['app.txt'] },
  ],
  env: { WHO: 'team' },
  command: ['sh', '-c', 'echo "$GREETING"; cat /app/app.txt /same /etc/greeting; id; ls -ln /made /same /app'],
};

/** One user on a machine of their own, logged in at the registry. */
async function machine(registry: { readonly host: string; readonly ca: string }, source?: string): Promise<Rig & { cwd: string }> {
  const rig = await makeEmptyRig();
  if (source === undefined) writeBusyboxLayout(join(rig.base, 'source'));
  else execFileSync('cp', ['-r', source, rig.base]);
  const login = ['login', '-u', 'user', '--password-stdin', registry.host];
  await rig.ok(login, { env: { SSL_CERT_FILE: registry.ca }, input: 'secret' });
  return { ...rig, cwd: rig.project({ 'devenv.json': file, 'app.txt': 'the app\n' }, 'shop') };
}

test('an image goes through a registry with TLS and a password to another machine, and to Docker, and is the same', async () => {
  await using registry = await startRealRegistry({ tls: true, htpasswd });
  const env = { SSL_CERT_FILE: registry.ca };
  const name = `${registry.host}/team/shop:1`;
  const cache = `${registry.host}/team/cache`;
  let source: string;
  let outputs: string[];
  {
    await using maker = await machine(registry);
    source = join(registry.ca, '../source');
    execFileSync('cp', ['-r', join(maker.base, 'source'), source]);
    const built = await maker.ok(['build', '--tag', name, '--push', '--cache-to', cache, '--json'], { cwd: maker.cwd, env });
    expect(built.json).toMatchObject({ built: 2, cache: { published: 2 }, pushed: { layers: 3, reused: 0 } });
    outputs = [(await maker.ok(['run', name], { cwd: maker.base, env })).stdout];
    expect(outputs[0]).toMatch(/^good morning\nthe app\n[0-9a-f-]{36}\n[0-9a-f-]{36}\nhello\nuid=0/);
  } // its store is gone

  await using other = await machine(registry, source);
  const pulled = await other.ok(['pull', name, '--json'], { env });
  expect(pulled.json).toMatchObject({ layers: 3, reused: 0 });
  outputs.push((await other.ok(['run', name], { cwd: other.base, env })).stdout);
  const up = await other.ok(['up', '--cache-from', cache, '--json'], { cwd: other.cwd, env });
  expect(up.json).toMatchObject({ built: 0, cached: 2, cache: { fetched: 2 } });
  outputs.push((await other.ok(['exec', ...file.command], { cwd: other.cwd, env })).stdout);

  if (process.getuid!() === 0) {
    await using docker = await startDocker(join(other.base, 'docker'));
    // Docker trusts every registry of this machine itself; the password is where devenv left it.
    await docker.call(['--config', join(other.base, 'home/.docker'), 'pull', '--quiet', name]);
    outputs.push(await docker.call(['run', '--rm', '--network', 'none', name]));
  }
  expect(new Set(outputs).size, outputs.join('\n')).toBe(1);
});
