/** Holds what a container may do to what Docker's default allows, by asking both engines the same questions. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { directories } from '../../base/directories.ts';
import { diskStore } from '../../store/disk-store.ts';
import { fillBusybox } from '../suite/busybox.suite.ts';
import { addPerl } from '../suite/perl.suite.ts';
import { ask, usual } from '../suite/rig.ts';
import { startDocker } from './docker.suite.ts';
import { embeddedEngine } from './embedded-engine.ts';

type Table = ReadonlyMap<string, string>;

/** Differences that are meant, as `ours | Docker 20.10's`; the version of Debian 12 is older than the kernel's newest dangers. */
const argued: readonly { readonly calls: readonly string[]; readonly answers: string; readonly because: string }[] = [
  {
    calls: [...calls(425, 427), ...old(425, 426, 427)], // io_uring_setup, _enter, _register
    answers: 'errno 1 | allowed',
    because: 'its operations pass by every filter of system calls, and it was the way out of many containers; Docker refuses it since 25',
  },
  {
    calls: ['socket 41 40 1 0', 'socket 41 40 3 9'], // AF_VSOCK
    answers: 'errno 1 | allowed',
    because: 'no network namespace separates sockets to the hypervisor; Docker refuses them since 23',
  },
  {
    calls: [...calls(303), ...old(341)], // name_to_handle_at
    answers: 'allowed | errno 1',
    because: 'a handle opens nothing without open_by_handle_at, which both refuse; later versions of Docker allow it',
  },
  {
    calls: [...calls(310, 311), ...old(347, 348)], // process_vm_readv, _writev
    answers: 'allowed | errno 1',
    because: 'the kernel asks for the same rights as ptrace, which both allow, and debuggers need it; Docker allows it since 23',
  },
  {
    calls: [...calls(329, 331), ...old(380, 381, 382)], // pkey_mprotect, _alloc, _free
    answers: 'allowed | errno 1',
    because: 'a process protects its own memory from itself; later versions of Docker allow it',
  },
  {
    calls: old(48, 67, 72, 73, 89), // signal, sigaction, sigsuspend, sigpending, readdir
    answers: 'allowed | errno 1',
    because: 'they are the first forms of calls that both allow, and do no more; old programs know no others',
  },
  {
    calls: [
      ...[156, 174, 177, 236].flatMap((number) => calls(number)),
      ...calls(181, 185),
      ...calls(337, 423),
      ...[1, 0x1234, 0x40000].map((value) => `personality 135 ${value}`),
      ...old(
        17,
        31,
        32,
        35,
        44,
        53,
        56,
        58,
        98,
        112,
        127,
        130,
        137,
        149,
        188,
        189,
        222,
        223,
        251,
        273,
        285,
        387,
        388,
        389,
        390,
        391,
        392,
        415,
      ),
    ],
    answers: 'errno 38 | errno 1',
    because: 'both refuse; "not implemented" is what libraries expect of a call that is not there, and then they try another way',
  },
];

function calls(first: number, last: number = first): string[] {
  return Array.from({ length: last - first + 1 }, (_, index) => `x86-64 ${first + index}`);
}

/** Of 32-bit programs, where the machine runs them. */
function old(...numbers: readonly number[]): string[] {
  return numbers.map((number) => `i386 ${number}`);
}

/** Every number there is and some that are not, in each way of calling, and the calls of which the filter looks at arguments. */
function questions(way: string): string[] {
  const x32 = 2 ** 30; // __X32_SYSCALL_BIT
  const plain = [...Array.from({ length: 480 }, (_, number) => number), 600, 1000, 2 ** 31 - 1];
  const numbers = way === 'x86-64' ? [...plain, ...[0, 1, 56, 512, 520, 521, 545, 547].map((number) => number + x32)] : plain;
  return numbers.filter((number) => way !== 'x86-64' || (number !== 335 && number !== 336)).map((number) => `${way} ${number}`); // uretprobe, uprobe: the kernel asks no filter
}

const withArguments: readonly string[] = [
  ...Array.from({ length: 25 }, (_, bit) => `clone 56 ${2 ** (bit + 7) + 17}`),
  'clone 56 17',
  ...[0, 1, 8, 0x20000, 0x20008, 0x40000, 0x1234, 0xffffffff].map((value) => `personality 135 ${value}`),
  ...Array.from({ length: 46 }, (_, family) => [
    `socket 41 ${family} 1 0`,
    `socket 41 ${family} 3 9`,
    `socketpair 53 ${family} 1 0`,
  ]).flat(),
  ...[0x5412, 0x541c, 0x5401, 0x5413, 0x4b3a].map((request) => `ioctl 16 0 ${request}`), // TIOCSTI, TIOCLINUX, TCGETS, TIOCGWINSZ, KDSETMODE
  ...[15, 22, 38, 0x59616d61].map((option) => `prctl 157 ${option}`),
  ...[0, 1, 16, 0x4200].map((request) => `ptrace 101 ${request}`),
];

const program = readFileSync(join(import.meta.dirname, '../suite/programs/system-calls.pl'), 'utf8');

const facts = `
grep -E '^(Cap|NoNewPrivs|Seccomp:)' /proc/self/status
while read -r id parent device root point options rest; do
  case $point in
    /sys|/proc/bus|/proc/fs|/proc/irq|/proc/sys*|/sys/fs/*) echo "mount $point \${options%%,*}";; # as it may be used
    /proc/*|/sys/*) echo "hidden $point";;
  esac
done < /proc/self/mountinfo
ls -A /dev | sed 's/^/device /'
cat /proc/self/setgroups /proc/self/oom_score_adj
`;

interface Sides<T> {
  readonly ours: T;
  readonly docker: T;
}

if (process.getuid!() === 0 && process.arch === 'x64')
  describe("beside Docker's default", () => {
    const stack = new AsyncDisposableStack();
    let both: (command: readonly string[], input: string) => Promise<Sides<string>>;
    beforeAll(async () => {
      const scratch = mkdtempSync(join(tmpdir(), 'devenv-docker-'));
      stack.defer(() => rmSync(scratch, { recursive: true, force: true }));
      const root = join(scratch, 'root');
      mkdirSync(root);
      fillBase(root);
      const docker = startDocker(join(scratch, 'docker'), root);
      stack.defer(() => docker.then((started) => started[Symbol.asyncDispose]()));
      const places = directories({ DEVENV_BASE_DIR: join(scratch, 'base') }, 0);
      const store = diskStore(places);
      const engine = embeddedEngine({ directories: places, store, cache: store, env: {}, report: () => {} });
      await using build = await engine.builder.begin({ report: () => {}, signal: new AbortController().signal, certificates: undefined });
      const layer = await build.fill(async (directory) => fillBase(directory));
      const spec = { ...usual, env: { PATH: '/usr/bin:/bin' }, layer, user: 'root', workdir: '/' };
      const first = await engine.create({ ...spec, id: 'first' }); // later ones may get the filter that was made for this one
      await first.start();
      await first.remove();
      const container = await engine.create({ ...spec, id: 'beside-docker' });
      stack.defer(() => container.remove());
      await container.start();
      const daemon = await docker;
      both = async (command, input) => {
        const [ours, theirs] = await Promise.all([ask(container, command, {}, input), daemon.run(command, input)]);
        if (ours.stderr) throw new Error(ours.stderr);
        return { ours: ours.stdout, docker: theirs };
      };
    }, 120_000);
    afterAll(() => stack.disposeAsync(), 60_000);

    /** The table of each side by what was asked. */
    const answers = async (asked: readonly string[]): Promise<Sides<Table>> => {
      const input = asked
        .map((line, index) => `${index} ${/^(?:x86-64|i386) /.test(line) ? line : line.replace(/^\w+/, 'x86-64')}\n`)
        .join('');
      const said = await both(['perl', '-e', program], input);
      const table = (text: string): Table =>
      new Map(text.trimEnd().split('\n').map((line) => [asked[Number(line.split(' ', 1)[0])]!, line.slice(line.indexOf(' ') + 1)])); // prettier-ignore
      return { ours: table(said.ours), docker: table(said.docker) };
    };

    test('the same system calls are allowed, but for differences with a reason', async () => {
      const isOld = (await answers(['i386 20'])).docker.get('i386 20') !== 'killed b7f'; // SIGSEGV: this machine runs no 32-bit programs
      const asked = [...questions('x86-64'), ...(isOld ? questions('i386') : []), ...withArguments];
      const { ours, docker } = await answers(asked);
      expect([ours.size, docker.size]).toEqual([asked.length, asked.length]);
      expect(ours.get('x86-64 0')).toBe('allowed');
      const found = asked
        .filter((line) => ours.get(line) !== docker.get(line))
        .map((line) => `${line}: ${ours.get(line)} | ${docker.get(line)}`);
      const meant = new Set(argued.flatMap(({ calls: lines, answers: pair }) => lines.map((line) => `${line}: ${pair}`)));
      expect(found.filter((line) => !meant.has(line))).toEqual([]);
      const isAsked = (line: string): boolean => isOld || !line.startsWith('i386 ');
      expect([...meant].filter((line) => isAsked(line) && !found.includes(line))).toEqual([]);
    });

    test('capabilities, filter and process settings are the same, hidden and read-only places too', async () => {
      const { ours, docker } = await both(['sh', '-c', facts], '');
      const lines = (text: string): string[] => text.trimEnd().split('\n').toSorted();
      const more = lines(ours).filter((line) => !lines(docker).includes(line));
      const less = lines(docker).filter((line) => !lines(ours).includes(line));
      // crun makes a link to /proc/kcore, which is hidden; later versions of Docker hide what interrupts tell of other processes' typing.
      expect({ more, less }).toEqual({ more: ['device core', 'hidden /proc/interrupts'], less: [] });
    });
  });

function fillBase(directory: string): void {
  fillBusybox(directory);
  addPerl(directory);
}
