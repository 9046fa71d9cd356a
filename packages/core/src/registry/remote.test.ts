import { expect, test } from 'vitest';
import { parseReference } from '../oci/reference.ts';
import { freePort, startRealRegistry } from './real-registry.suite.ts';
import { registrySuite } from './registry.suite.ts';
import { remoteRegistry } from './remote.ts';

registrySuite("Debian's docker-registry", async () => {
  const real = await startRealRegistry();
  return {
    registry: remoteRegistry({ env: {} }),
    host: real.host,
    put: async (...image) => real.put(...image),
    [Symbol.asyncDispose]: () => real[Symbol.asyncDispose](),
  };
});

const amd64 = { os: 'linux', architecture: 'amd64' } as const;

test('a registry that is not there is named, with the reason', async () => {
  const host = `127.0.0.1:${await freePort()}`;
  await expect(remoteRegistry({ env: {} }).get(parseReference(`${host}/a`), amd64)).rejects.toEqual(
    expect.objectContaining({
      code: 'REGISTRY_UNREACHABLE',
      message: expect.stringContaining(`${host} refuses connections (ECONNREFUSED)`),
    }),
  );
});

test('a host name that does not exist is named', async () => {
  await expect(remoteRegistry({ env: {}, pause: 1 }).resolve(parseReference('registry.invalid/a'), amd64)).rejects.toEqual(
    expect.objectContaining({ code: 'REGISTRY_UNREACHABLE', message: expect.stringContaining('registry.invalid') }),
  );
});
