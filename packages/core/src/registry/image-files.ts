import { closeSync, mkdirSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { encodeHeader, paddingOf } from '../oci/tar-encode.ts';

/** Takes the files of an archive or a layout, one after the other. A name that was written is not written again. */
export interface ImageFiles {
  /** @throws Error when the bytes are not as many as said */
  write(name: string, size: number, bytes: Iterable<Buffer> | AsyncIterable<Buffer>): Promise<void>;
  /** The last file has been written. */
  end(): Promise<void>;
}

/** A tar archive that is given to `emit` piece by piece. It holds no times and no owners: the same files are the same bytes. */
export function tarOfImageFiles(emit: (bytes: Buffer) => Promise<void>): ImageFiles {
  const written = new Set<string>();
  return {
    async write(name, size, bytes) {
      if (written.has(name)) return;
      written.add(name);
      await emit(encodeHeader({ flag: '0', name, mode: 0o644, uid: 0, gid: 0, seconds: 0, size }));
      await counting(name, size, bytes, emit);
      await emit(Buffer.alloc(paddingOf(size)));
    },
    end: () => emit(Buffer.alloc(1024)),
  };
}

/** A directory. A file has its name when all of it is there. */
export function directoryOfImageFiles(directory: string): ImageFiles {
  const written = new Set<string>();
  return {
    async write(name, size, bytes) {
      if (written.has(name)) return;
      written.add(name);
      const path = join(directory, name);
      mkdirSync(dirname(path), { recursive: true });
      const descriptor = openSync(`${path}.part`, 'w', 0o644);
      try {
        await counting(name, size, bytes, async (chunk) => {
          for (let done = 0; done < chunk.length;) done += writeSync(descriptor, chunk, done);
        });
        renameSync(`${path}.part`, path);
      } catch (error) {
        rmSync(`${path}.part`, { force: true });
        throw error;
      } finally {
        closeSync(descriptor);
      }
    },
    end: async () => {},
  };
}

async function counting(
  name: string,
  size: number,
  bytes: Iterable<Buffer> | AsyncIterable<Buffer>,
  emit: (bytes: Buffer) => Promise<void>,
): Promise<void> {
  let count = 0;
  for await (const chunk of bytes) {
    count += chunk.length;
    if (count > size) break;
    await emit(chunk);
  }
  if (count !== size) throw new Error(`${name} has not the ${size} bytes that were announced`);
}
