import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { gunzipSync, zstdDecompressSync } from 'node:zlib';

/** What real programs wrote: documents of images, archives of images, and the layers in them. */
export interface Corpus {
  readonly documents: readonly Buffer[];
  readonly archives: readonly Buffer[];
  /** Which programs took part. */
  readonly writers: readonly string[];
}

/** Lets skopeo, umoci and docker write images into an empty folder. A program that is not here takes no part. */
export async function makeCorpus(folder: string): Promise<Corpus> {
  mkdirSync(folder, { recursive: true });
  const root = makeTree(join(folder, 'root'));
  const layout = join(folder, 'umoci');
  const writers: string[] = [];
  const run = (program: string, ...args: readonly string[]): void => {
    execFileSync(program, args, { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'], timeout: 120_000 });
  };
  const has = (program: string): boolean => ['/usr/bin', '/usr/sbin', '/usr/local/bin'].some((place) => existsSync(join(place, program)));

  if (has('umoci')) {
    writers.push('umoci');
    run('umoci', 'init', '--layout', layout);
    run('umoci', 'new', '--image', `${layout}:one`);
    run('umoci', 'insert', '--image', `${layout}:one`, root, '/');
    run('umoci', 'insert', '--image', `${layout}:one`, '--opaque', root, '/srv');
    run(
      'umoci',
      'config',
      '--image',
      `${layout}:one`,
      '--config.env',
      'A=b',
      '--config.exposedports',
      '80/tcp',
      '--config.label',
      'x=y',
      '--config.volume',
      '/data',
    );
    run('umoci', 'tag', '--image', `${layout}:one`, 'two');
  }
  if (has('docker') && has('dockerd')) {
    await withDocker(join(folder, 'docker'), (docker) => {
      run('tar', '-C', root, '-cf', 'root.tar', '.');
      docker('import', '--change', 'ENV A=b', '--change', 'CMD ["/bin/true"]', join(folder, 'root.tar'), 'first:1');
      docker('import', join(folder, 'root.tar'), 'second:1');
      docker('save', '-o', join(folder, 'saved.tar'), 'first:1', 'second:1');
    }).then(
      () => writers.push('docker'),
      () => {}, // no daemon can run here: the others do
    );
  }
  if (has('skopeo')) {
    writers.push('skopeo');
    const source = existsSync(join(layout, 'index.json')) ? `oci:${layout}:one` : `docker-archive:${join(folder, 'saved.tar')}:first:1`;
    for (const format of ['v2s1', 'v2s2', 'oci']) run('skopeo', 'copy', '-q', '--format', format, source, `dir:${join(folder, format)}`);
    run('skopeo', 'copy', '-q', '--dest-compress-format', 'zstd', source, `oci:${join(folder, 'zstd')}:zstd`);
    run('skopeo', 'copy', '-q', source, `docker-archive:${join(folder, 'skopeo.tar')}:name:1`);
    run('skopeo', 'copy', '-q', source, `oci-archive:${join(folder, 'oci.tar')}:name`);
  }
  for (const archive of ['saved.tar', 'skopeo.tar', 'oci.tar'].filter((name) => existsSync(join(folder, name)))) {
    mkdirSync(join(folder, `${archive}.out`));
    run('tar', '-C', `${archive}.out`, '-xf', archive);
  }
  if (writers.length === 0) throw new Error('there is neither skopeo nor umoci nor docker here (scripts/debian-packages.json)');
  return { ...sort(files(folder).filter((path) => !path.startsWith(root) && !path.includes('/docker/'))), writers };
}

/** Names and kinds of every sort that tar knows. */
function makeTree(root: string): string {
  const script = `
    mkdir -p ${root}/bin ${root}/srv/deep && cd ${root}
    echo content >file; ln file hard; ln -s file soft; ln -s ../../etc outside
    head -c 3000 /dev/zero >zeros; truncate -s 100000 sparse; printf x >>sparse
    mkfifo pipe; chmod 4755 file; touch -d 2001-02-03T04:05:06.789 file
    touch "$(printf 'n%.0s' $(seq 150))" "$(printf 'ü%.0s' $(seq 60))"
    mkdir -p "$(printf 'd%.0s' $(seq 120))/$(printf 'e%.0s' $(seq 120))"
    mknod null c 1 3 2>/dev/null || true; setfattr -n user.x -v y file 2>/dev/null || true; chown 4000000:4000000 zeros 2>/dev/null || true
  `;
  execFileSync('sh', ['-ec', script]);
  return root;
}

/** Debian's client belongs to its daemon; there may be another beside it. */
const client = existsSync('/usr/bin/docker') ? '/usr/bin/docker' : 'docker';

/** A daemon of its own that leaves this machine's network alone. */
async function withDocker(folder: string, work: (docker: (...args: readonly string[]) => void) => void): Promise<void> {
  mkdirSync(folder, { recursive: true });
  const host = `unix://${folder}/socket`;
  const places = ['data-root', 'exec-root'].flatMap((name) => [`--${name}`, join(folder, name)]);
  const network = ['--bridge', 'none', '--iptables=false', '--ip6tables=false', '--ip-forward=false', '--ip-masq=false'];
  const daemon = spawn('dockerd', [...places, ...network, '--storage-driver', 'vfs', '--host', host, '--pidfile', join(folder, 'pid')], {
    stdio: 'ignore',
  });
  const ended = new Promise<void>((resolve) => daemon.once('error', () => resolve()).once('close', () => resolve()));
  const docker = (...args: readonly string[]): void => {
    execFileSync(client, args, { env: { ...process.env, DOCKER_HOST: host }, stdio: 'ignore', timeout: 60_000 });
  };
  try {
    for (let attempt = 0; ; attempt++) {
      try {
        docker('version');
        break;
      } catch (error) {
        if (attempt === 100 || daemon.exitCode !== null) throw error;
        await delay(200);
      }
    }
    work(docker);
  } finally {
    daemon.kill();
    await ended;
  }
}

function files(folder: string): readonly string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => join(folder, name))
    .filter((path) => statSync(path, { throwIfNoEntry: false })?.isFile() === true);
}

/** By content, each once: names differ from program to program. */
function sort(paths: readonly string[]): Omit<Corpus, 'writers'> {
  const documents = new Map<string, Buffer>();
  const archives = new Map<string, Buffer>();
  for (const path of paths.toSorted()) {
    const bytes = unpacked(readFileSync(path));
    const key = bytes.toString('latin1');
    if (bytes.toString('latin1', 257, 262) === 'ustar') archives.set(key, bytes);
    else if (/^\s*[[{]/.test(bytes.toString('latin1', 0, 10))) documents.set(key, bytes);
  }
  return { documents: [...documents.values()], archives: [...archives.values()] };
}

function unpacked(bytes: Buffer): Buffer {
  if (bytes[0] === 0x1f && bytes[1] === 0x8b) return gunzipSync(bytes);
  if (bytes.length > 4 && bytes.readUInt32LE(0) === 0xfd2fb528) return zstdDecompressSync(bytes);
  return bytes;
}
