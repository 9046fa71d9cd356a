import { expect } from 'vitest';
import type { Result } from './rig.ts';

/** One changed member: what it is to be, in which words `status` says so, what `up` does, and how the change shows. */
export interface Row {
  /** Members of the schema that the row is about: `env`, `limits.memory`, `mounts.bind.optional`. */
  readonly of: readonly string[];
  /** Members of devenv.json that are set; undefined removes one. */
  readonly set: Readonly<Record<string, unknown>> | (() => Readonly<Record<string, unknown>>);
  readonly kind: 'hot' | 'restart' | 'rebuild' | 'none';
  /** In the lines of `status`. */
  readonly says?: RegExp;
  /** A script for bash inside, run as root, and what it prints. */
  readonly inside?: readonly [script: string, prints: string | RegExp];
  /** A look from this machine, and what it finds. */
  readonly outside?: readonly [look: () => unknown, finds: unknown];
  /** Happens before the change. */
  readonly before?: () => unknown;
  /** What `up` is called with. */
  readonly up?: readonly string[];
}

/** The workspace under test, seen from inside and outside. */
export interface Place {
  /** What a script prints, run as root in the environment. */
  readonly inside: (script: string) => Promise<string>;
  /** Paths are relative to the workspace; what is no string is written as JSON. */
  readonly writeFile: (path: string, content: unknown) => void;
  readonly read: (path: string) => string;
  readonly devenv: (args: readonly string[], input?: string) => Promise<Result>;
  /** What a connection to a port of this machine hears. */
  readonly heard: (port: number) => Promise<string>;
  /** Two that were free. */
  readonly ports: () => readonly [number, number];
  readonly labels: () => Readonly<Record<string, string>>;
}

const bit = (number: number): number => 2 ** (number % 32);
/** Capabilities by number of capabilities(7), in the set that limits all. */
const hasCapability = (number: number): string =>
  `mask=$(sed -n 's/^CapBnd:\\t//p' /proc/self/status); echo $(( (0x\${mask:${number < 32 ? 8 : 0}:8} & ${bit(number)}) != 0 ))`;
const listen = (number: number): string =>
  `setsid perl -MIO::Socket::INET -e '$s = IO::Socket::INET->new(LocalPort => ${number}, Listen => 5, ReuseAddr => 1) or die; while ($c = $s->accept) { print $c "heard"; close $c }' </dev/null >/dev/null 2>&1 & sleep 0.3; echo listens`;

/** A workspace whose file is changed member by member, and whose environment has to follow. */
export const dailyRows = ({ inside, writeFile, heard, ports, labels, read, devenv }: Place): readonly Row[] => [
  {
    of: ['env'],
    set: { env: { GREETING: 'hello' } },
    kind: 'hot',
    says: /env: GREETING added/,
    inside: ['echo $GREETING', 'hello\n'],
  },
  { of: ['env'], set: { env: { GREETING: 'moin' } }, kind: 'hot', says: /env: GREETING changed/, inside: ['echo $GREETING', 'moin\n'] },
  { of: ['env'], set: { env: undefined }, kind: 'hot', says: /env: GREETING removed/, inside: ['echo [$GREETING]', '[]\n'] },
  {
    of: ['ports'],
    before: () => inside(listen(8000)),
    set: { ports: [] },
    kind: 'none',
  },
  {
    of: ['ports'],
    set: () => ({ ports: [`${ports()[0]}:8000`] }),
    kind: 'hot',
    says: /ports: \d+:8000 added/,
    outside: [() => heard(ports()[0]), 'heard'],
  },
  {
    of: ['ports'],
    set: () => ({ ports: [`127.0.0.1:${ports()[1]}:8000`] }),
    kind: 'hot',
    says: /ports: \d+:8000 added, \d+:8000 removed/,
    outside: [() => Promise.all([heard(ports()[1]), heard(ports()[0])]), ['heard', '']],
  },
  {
    of: ['ports'],
    set: { ports: [] },
    kind: 'hot',
    says: /ports: \d+:8000 removed/,
    outside: [() => heard(ports()[1]), ''],
  },
  {
    of: ['limits.memory'],
    set: { limits: { memory: '64m' } },
    kind: 'hot',
    says: /limits: memory added/,
    inside: [`perl -e '$x = "x" x (200 << 20)' 2>/dev/null; echo $?`, '137\n'],
  },
  {
    of: ['limits.memory', 'limits.pids'],
    set: { limits: { pids: 20 } },
    kind: 'hot',
    says: /limits: memory removed, pids added/,
    inside: [
      `perl -e '$x = "x" x (200 << 20)'; echo $?; perl -e '$n = 0; while ($n < 50 && defined($p = fork)) { $p or exec "sleep", 1; $n++ } print $n < 50 ? "refused" : "made"; exit 0'`,
      '0\nrefused',
    ],
  },
  {
    of: ['limits.cpus'],
    set: { limits: { cpus: 0.1 } },
    kind: 'hot',
    says: /limits: cpus added, pids removed/,
    // What a tenth of a processor does in half a second of ours.
    inside: [`perl -MTime::HiRes=time -e '$end = time + 1; 1 while time < $end; print((times)[0] < 0.4 ? "slow" : "fast")'`, 'slow'],
  },
  {
    of: ['limits.shm'],
    set: { limits: { shm: '16m' } },
    kind: 'restart',
    says: /limits: cpus removed, shm added/,
    inside: ['df --output=size -k /dev/shm | tail -1', / 16384\n/],
  },
  {
    of: ['labels'],
    set: { labels: { team: 'blue' } },
    kind: 'hot',
    says: /labels: team added/,
    outside: [() => labels()['team'], 'blue'],
  },
  {
    of: ['mounts.bind.type', 'mounts.bind.source', 'mounts.bind.target'],
    before: () => writeFile('../outside/file', 'outside'),
    set: { mounts: [{ type: 'bind', source: '../outside', target: '/outside' }] },
    kind: 'restart',
    says: /mounts: bind at \/outside added/,
    inside: ['cat /outside/file; echo more > /outside/made', 'outside'],
    outside: [() => read('../outside/made'), 'more\n'],
  },
  {
    of: ['mounts.bind.readonly'],
    set: { mounts: [{ type: 'bind', source: '../outside', target: '/outside', readonly: true }] },
    kind: 'restart',
    says: /mounts: bind at \/outside changed/,
    inside: ['cat /outside/file; touch /outside/x 2>&1 | grep -o Read-only', 'outsideRead-only\n'],
  },
  {
    of: ['mounts.bind.optional'],
    set: {
      mounts: [
        { type: 'bind', source: '../outside/file', target: '/a-file' },
        { type: 'bind', source: '../later', target: '/later', optional: true },
      ],
    },
    kind: 'restart',
    says: /mounts: bind at \/a-file added, bind at \/outside removed/,
    inside: ['cat /a-file; ls -d /later /outside/file 2>/dev/null; true', 'outside'],
  },
  {
    of: ['mounts.bind.optional'],
    before: () => writeFile('../later/file', 'later'),
    set: {},
    kind: 'restart',
    says: /mounts: bind at \/later added/,
    inside: ['cat /later/file', 'later'],
  },
  {
    of: ['mounts.tmpfs.type', 'mounts.tmpfs.target', 'mounts.tmpfs.size'],
    set: { mounts: [{ type: 'tmpfs', target: '/fast', size: '8m' }] },
    kind: 'restart',
    says: /mounts: tmpfs at \/fast added/,
    inside: ['df --output=fstype,size -k /fast | tail -1', /tmpfs +8192\n/],
  },
  {
    of: ['mounts.volume.type', 'mounts.volume.source', 'mounts.volume.target'],
    set: { mounts: [{ type: 'volume', source: 'kept', target: '/kept' }] },
    kind: 'restart',
    says: /mounts: tmpfs at \/fast removed|mounts: volume at \/kept added/,
    inside: ['echo kept > /kept/mark; stat -c %U /kept', 'dev\n'],
  },
  {
    of: ['mounts.volume.readonly'],
    set: { mounts: [{ type: 'volume', source: 'kept', target: '/kept', readonly: true }] },
    kind: 'restart',
    says: /mounts: volume at \/kept changed/,
    inside: ['cat /kept/mark; touch /kept/x 2>&1 | grep -o Read-only', 'kept\nRead-only\n'],
  },
  {
    of: ['security.capAdd', 'security.capDrop'],
    set: { security: { capAdd: ['SYS_TIME'], capDrop: ['CHOWN'] } },
    kind: 'restart',
    says: /security: capAdd changed, capDrop changed/,
    inside: [`${hasCapability(25)}; ${hasCapability(0)}; ${hasCapability(1)}`, '1\n0\n1\n'],
  },
  {
    of: ['security.seccomp'],
    before: () =>
      writeFile('seccomp.json', { defaultAction: 'SCMP_ACT_ALLOW', syscalls: [{ names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO' }] }),
    set: { security: { seccomp: './seccomp.json' } },
    kind: 'restart',
    says: /security: .*seccomp changed/,
    inside: ['mkdir /tmp/never 2>/dev/null; echo $?', '1\n'],
  },
  {
    of: ['security.seccomp'],
    before: () =>
      writeFile('seccomp.json', { defaultAction: 'SCMP_ACT_ALLOW', syscalls: [{ names: ['chdir'], action: 'SCMP_ACT_ERRNO' }] }),
    set: {},
    kind: 'restart',
    says: /security: .*seccomp/,
    inside: ['mkdir /tmp/now && echo made', 'made\n'],
  },
  {
    of: ['security.seccomp'],
    set: { security: { seccomp: 'unconfined' } },
    kind: 'restart',
    says: /security: .*seccomp changed/,
    inside: ["sed -n 's/^Seccomp:\\t//p' /proc/self/status", '0\n'],
  },
  {
    of: ['security.noNewPrivileges', 'security.readonlyRoot'],
    set: { security: { noNewPrivileges: true, readonlyRoot: true } },
    kind: 'restart',
    says: /security: noNewPrivileges changed, readonlyRoot changed, seccomp changed/,
    inside: [
      "sed -n 's/^NoNewPrivs:\\t//p' /proc/self/status; touch /x 2>&1 | grep -o Read-only; touch /workspace/made-inside && echo workspace",
      '1\nRead-only\nworkspace\n',
    ],
  },
  {
    of: ['security.privileged'],
    set: { security: { privileged: true } },
    kind: 'restart',
    says: /security: .*privileged changed/,
    inside: [`${hasCapability(21)}; mount -t tmpfs none /mnt && echo mounted`, '1\nmounted\n'],
  },
  {
    of: ['certificates'],
    set: { security: undefined, certificates: false },
    kind: 'restart',
    says: /certificates/,
    inside: ['env | grep -c CERT; ls /run/devenv/ca.pem 2>/dev/null; true', '0\n'],
  },
  {
    of: ['name'],
    set: { name: 'Other Name' },
    kind: 'restart',
    says: /hostname: first → other-name/,
    inside: ['hostname', 'other-name\n'],
    outside: [async () => (await devenv(['ps'])).stdout, expect.stringContaining('Other Name')],
  },
  {
    of: ['name'],
    set: { name: 'other name' },
    kind: 'hot',
    says: /name: Other Name → other name/,
    outside: [async () => (await devenv(['ps'])).stdout, expect.stringContaining('other name')],
  },
  {
    of: ['workspace'],
    set: { workspace: '/home/dev/project' },
    kind: 'restart',
    says: /workdir: \/workspace → \/home\/dev\/project/,
    inside: ['pwd; ls devenv.json; ls /workspace 2>/dev/null | head -1', '/home/dev/project\ndevenv.json\n'],
  },
  {
    of: ['hooks.create'],
    set: { hooks: { create: 'echo created by $(id -un) in $PWD > /tmp/create' } },
    kind: 'hot',
    says: /hooks: create/,
    inside: ['cat /tmp/create', 'created by dev in /home/dev/project\n'],
  },
  {
    of: ['hooks.create', 'hooks.start'],
    set: { hooks: { create: 'echo again > /tmp/create', start: ['sh', '-c', 'echo start >> /tmp/start'] } },
    kind: 'hot',
    says: /hooks: create changed[^]*hooks: start/,
    inside: ['cat /tmp/create /tmp/start', 'again\nstart\n'],
  },
  {
    of: ['hooks.attach'],
    set: { hooks: { attach: 'echo attached > /tmp/attach' } },
    kind: 'hot',
    says: /hooks: attach/,
    outside: [() => devenv(['shell'], 'exit\n').then(() => inside('cat /tmp/attach')), 'attached\n'],
  },
  {
    of: ['customizations'],
    set: { customizations: { vscode: { extensions: ['a.b'], settings: { 'editor.tabSize': 2 } } } },
    kind: 'none',
  },
  // Whose layers are believed changes no layer. Nothing is built, so that nobody is asked: nothing listens there.
  { of: ['cache.from', 'cache.to'], set: { cache: { from: ['127.0.0.1:1/cache'], to: '127.0.0.1:1/cache' } }, kind: 'none' },
  { of: ['cache.from', 'cache.to'], set: { cache: undefined }, kind: 'none' },
  { of: ['$schema'], set: { $schema: './devenv.schema.json' }, kind: 'none' },
  // Nothing runs a command, so that it changes nothing here; see below for `up --run`.
  { of: ['command', 'entrypoint'], set: { command: 'true', entrypoint: ['env'] }, kind: 'none' },
  {
    of: ['steps'],
    set: { steps: [{ name: 'made', run: 'echo $WHICH > /made' }] },
    kind: 'rebuild',
    says: /made runs: it has never run here.* rebuild from step 1/,
    inside: ['cat /made', '\n'],
  },
  {
    of: ['args'],
    set: { args: { WHICH: 'arg' } },
    kind: 'rebuild',
    says: /made runs: .*WHICH.*rebuild from step 1/,
    inside: ['cat /made', 'arg\n'],
  },
  {
    of: ['user'],
    set: { user: 'other' },
    kind: 'rebuild',
    says: /user other runs.*rebuild from user other[^]*user: dev → other/,
    inside: ['id -un other; stat -c %U devenv.json', 'other\nother\n'],
  },
  { of: ['user'], set: { user: 'root' }, kind: 'restart', says: /user: other → root/, inside: ['stat -c %U devenv.json', 'root\n'] },
];
