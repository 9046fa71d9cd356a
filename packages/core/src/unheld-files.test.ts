import { expect, test } from 'vitest';
import { encodeHeader, type HeaderFields } from './oci/tar-encode.ts';
import { unheldFiles } from './unheld-files.ts';

const member = (name: string, more: Partial<HeaderFields> = {}): Buffer =>
  encodeHeader({ flag: '0', name, mode: 0o644, uid: 0, gid: 0, seconds: 0, size: 0, ...more });

async function* layer(...members: readonly Buffer[]): AsyncGenerator<Buffer> {
  yield* members;
  yield Buffer.alloc(1024);
}

test('device nodes and owners beyond the range are found, unless a layer above hides or replaces them', async () => {
  const below = layer(
    member('./dev/null', { flag: '3' }),
    member('./dev/sda', { flag: '4' }),
    member('./home/', { flag: '5', uid: 70_000 }),
    member('./home/file', { gid: 65_536 }),
    member('./home/held', { uid: 65_535 }),
    member('./gone/a', { uid: 70_000 }),
    member('./opaque/a', { uid: 70_000 }),
  );
  const above = layer(member('dev/sda'), member('.wh.gone'), member('opaque/.wh..wh..opq'));
  expect(await unheldFiles([below, above], 65_536)).toEqual(['dev/null', 'home', 'home/file']);
});
