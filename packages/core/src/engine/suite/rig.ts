import type { Readable } from 'node:stream';
import type { LayerId } from '../../store/layer-store.ts';
import type { Build, Container, ContainerSpec, Engine, ExecOptions, StepProcess } from '../engine.ts';

/** An engine to hold to its laws. */
export interface EngineUnderTest extends AsyncDisposable {
  readonly engine: Engine;
  /** A host directory for the test's own files. */
  readonly scratch: string;
  /** Puts a root directory with the tools of busybox in /bin into an empty directory. */
  readonly fillBase: (directory: string) => Promise<void>;
}

export const usual: Omit<ContainerSpec, 'id' | 'layer'> = {
  labels: { suite: 'engine' },
  hostname: 'box',
  command: [],
  env: { PATH: '/bin', GREETING: 'hello world' },
  user: 'dev',
  workdir: '/work',
  mounts: [],
  network: 'none',
  ports: [],
  limits: {},
  security: { capAdd: [], capDrop: [], seccomp: 'default', noNewPrivileges: false, readonlyRoot: false, privileged: false },
  certificates: undefined,
};

export const usualStep: Omit<StepProcess, 'args' | 'onOutput'> = {
  env: { PATH: '/bin' },
  user: 'root',
  workdir: '/',
  network: false,
  caches: [],
  secrets: [],
  signal: new AbortController().signal,
};

export interface Said {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly oomKilled: boolean;
}

/** Runs a command in a container and collects what it says. */
export async function ask(
  container: Container,
  command: string | readonly string[],
  options: Omit<ExecOptions, 'stdio'> = {},
  input = '',
): Promise<Said> {
  const process = await container.exec(typeof command === 'string' ? ['sh', '-c', command] : command, { ...options, stdio: 'pipe' });
  process.stdin!.on('error', () => {}); // a command that ends at once does not read its input
  process.stdin!.end(input);
  const [stdout, stderr, ended] = await Promise.all([textOf(process.stdout!), textOf(process.stderr!), process.exit]);
  return { ...ended, stdout, stderr };
}

export async function textOf(stream: Readable): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

/** What the laws of one suite share: an image with a user `dev`, and one running container of it, `box`, for those that change nothing. */
export class Rig {
  private readonly under: EngineUnderTest;
  private number = 0;
  layer!: LayerId;
  box!: Container;

  constructor(under: EngineUnderTest) {
    this.under = under;
  }

  get engine(): Engine {
    return this.under.engine;
  }

  get scratch(): string {
    return this.under.scratch;
  }

  specOf(changes: Partial<ContainerSpec> = {}): ContainerSpec {
    return { ...usual, id: `suite-${this.number++}`, layer: this.layer, ...changes };
  }

  /** A layer on nothing that holds the tools of busybox and what `more` puts beside them. */
  async base(more: (directory: string) => void): Promise<LayerId> {
    await using build = await this.begin();
    return build.fill(async (directory) => {
      await this.under.fillBase(directory);
      more(directory);
    });
  }

  /** A running container, removed at the end of the test. */
  async running(changes: Partial<ContainerSpec> = {}): Promise<Container & AsyncDisposable> {
    const container = await this.engine.create(this.specOf(changes));
    const owned = Object.assign(container, { [Symbol.asyncDispose]: () => container.remove() });
    await container.start().catch(async (error: unknown) => {
      await container.remove();
      throw error;
    });
    return owned;
  }

  begin(signal: AbortSignal = usualStep.signal, certificates?: string): Promise<Build> {
    return this.engine.builder.begin({ report: () => {}, signal, certificates });
  }

  /** Runs one step on `parent`; what it changed becomes a layer. */
  async step(build: Build, parent: LayerId | undefined, script: string, changes: Partial<StepProcess> = {}): Promise<StepResult> {
    await using bench = await build.workbench(parent);
    let output = '';
    const onOutput = (chunk: Buffer): void => void (output += chunk.toString());
    const { exitCode } = await bench.run({ ...usualStep, args: ['sh', '-c', script], onOutput, ...changes });
    return { layer: await bench.commit(), output, exitCode };
  }

  async prepare(): Promise<void> {
    await using build = await this.begin();
    const base = await build.fill(this.under.fillBase);
    const prepared = await this.step(build, base, preparation);
    if (prepared.exitCode !== 0) throw new Error(prepared.output);
    this.layer = prepared.layer;
    this.box = await this.engine.create(this.specOf());
    await this.box.start();
  }

  async end(): Promise<void> {
    await this.box?.remove();
    await this.under[Symbol.asyncDispose]();
  }
}

export interface StepResult {
  readonly layer: LayerId;
  readonly output: string;
  readonly exitCode: number;
}

const preparation = `
echo dev:x:1000:1000::/home/dev:/bin/sh >> /etc/passwd
printf 'dev:x:1000:\\nteam:x:2000:dev\\n' >> /etc/group
mkdir -p /home/dev /data/sub /work /out/modules
echo image > /data/file; chmod 640 /data/file
echo lib > /out/modules/a
printf 'plain text' > /plain
printf 'no line' > /odd; chmod 755 /odd
chown -R dev:dev /home/dev /data /work /out; chown dev:team /data/file
`;
