import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { directories, type Directories } from '../../../base/directories.ts';
import type { Event } from '../../../base/events.ts';
import { mount } from '../../../base/system-calls.ts';
import { enterEngineNamespace } from '../oci-runtime.ts';
import { detachAll } from '../overlay.ts';
import { openStorage } from './choose-storage.ts';
import type { StorageDriverName } from './storage-driver.ts';

if (process.getuid?.() === 0)
  describe('the storage driver', () => {
    let base: string;
    let places: Directories;
    let said: Event[];
    beforeEach(() => {
      base = mkdtempSync(join(tmpdir(), 'devenv-choose-'));
      places = directories({ DEVENV_BASE_DIR: base }, 0);
      said = [];
    });
    afterEach(() => {
      detachAll(base);
      rmSync(base, { recursive: true });
    });
    const choose = async (wanted?: string, names?: readonly StorageDriverName[]): Promise<string> =>
      (await openStorage({ directories: places, wanted, ...(names ? { names } : {}), report: (event) => said.push(event) }).choose()).name;

    test('is overlay where that works, and nobody is told', async () => {
      expect([await choose(), said, readdirSync(places.data)]).toEqual(['overlay', [], []]);
    });

    test('is the one that the user names', async () => {
      expect([await choose('copy'), await choose(), said]).toEqual(['copy', 'overlay', []]);
    });

    test('that is none is refused with the names of those that are', async () => {
      await expect(choose('zfs')).rejects.toMatchObject({ code: 'BAD_VALUE', hint: 'it is one of overlay, btrfs, fuse-overlayfs, copy' });
    });

    test('that the user names and that does not work is refused with the reason', async () => {
      await expect(choose('btrfs')).rejects.toMatchObject({
        code: 'RUNTIME_FAILED',
        message: expect.stringMatching(/btrfs +the data directory is not on btrfs/) as unknown,
      });
      expect(existsSync(join(places.runtime, 'storage-driver.json'))).toBe(false);
    });

    test('is the next one where the better one does not work: it is told once why', async () => {
      const names = ['btrfs', 'copy'] as const;
      expect([await choose(undefined, names), await choose(undefined, names)]).toEqual(['copy', 'copy']);
      expect(said).toEqual([
        expect.objectContaining({
          level: 'warning',
          message: expect.stringMatching(/^btrfs cannot .*on btrfs; every tree is copied/) as unknown,
        }),
      ]);
    });

    test('works nowhere on an overlay, which cannot hold layers: it is told what to do', async () => {
      enterEngineNamespace();
      for (const name of ['below/upper', 'below/work', 'below/lower', 'data']) mkdirSync(join(base, name), { recursive: true });
      mount('overlay', places.data, 'overlay', 0, `lowerdir=${base}/below/lower,upperdir=${base}/below/upper,workdir=${base}/below/work`);
      await expect(choose()).rejects.toMatchObject({ code: 'RUNTIME_FAILED', hint: expect.stringContaining('DEVENV_BASE_DIR') as unknown });
    });
  });
