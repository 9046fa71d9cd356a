// Runs the first five minutes for real, in a copy of examples/hello, and writes what was seen to docs/first-five-minutes.md and to the
// tour in README.md. `--check`: writes nothing, and fails when they say something else (times and ids aside). `--data DIR`: a
// data directory that holds the Debian base already; its files are linked, not changed. Needs root and a built devenv.
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const root = fileURLToPath(new URL('..', import.meta.url));

/** `run`: what one types. `tour`: also in README.md. */
const chapters = [
  {
    title: 'A file says what the environment is',
    text: 'A C project, and the `devenv.json` that describes where it is built and run.',
    commands: [{ run: 'ls' }, { run: 'cat devenv.json' }],
  },
  {
    title: 'From nothing to inside',
    text: '`plan` changes nothing. `up` runs the steps, each of which becomes a cached layer, and starts a container with this folder in it.',
    commands: [
      { run: 'devenv plan' },
      { run: 'devenv up', tour: true },
      { run: 'devenv exec hello', tour: true },
      { run: "devenv exec -- sh -c '. /etc/os-release; echo $PRETTY_NAME; id -un; pwd; ls'" },
      { run: 'devenv up', tour: true },
    ],
  },
  {
    title: 'What runs again, and why',
    text: 'One word of an input changes: that step runs again and those after it, no other. `status` ends with exit code 3 when something differs.',
    commands: [
      { run: "sed -i 's/from inside/from within/' hello.c", tour: true },
      { run: 'devenv status; echo "exit code $?"' },
      { run: 'devenv why program', tour: true },
      { run: 'devenv up', tour: true },
      { run: 'devenv exec hello', tour: true },
      { run: 'touch hello.c && devenv status' },
    ],
  },
  {
    title: 'What needs no restart',
    text: 'A variable for sessions is applied to the environment as it runs.',
    commands: [
      { run: `sed -i 's/"GREETING": "Hello"/"GREETING": "Good morning"/' devenv.json`, tour: true },
      { run: 'devenv up', tour: true },
      { run: 'devenv exec hello', tour: true },
    ],
  },
  {
    title: 'Mistakes',
    text: 'All of a file at once, each with its place; nothing is changed before the file is right.',
    commands: [
      { run: `sed 's/"inputs"/"input"/; s/"user": "dev"/"user": true/' devenv.json > wrong.json` },
      { run: 'devenv up --config wrong.json; echo "exit code $?"' },
      { run: 'rm wrong.json' },
      { run: 'devenv exec helo; echo "exit code $?"' },
    ],
  },
  {
    title: 'In CI, and the end',
    text: '`run` is one command in a container of its own: built when it must be, removed afterwards, with the exit code of the command.',
    commands: [{ run: `devenv run -- sh -c 'make && ./hello'` }, { run: 'devenv ps' }, { run: 'devenv down', tour: true }],
  },
];

const { values } = parseArgs({ options: { check: { type: 'boolean', default: false }, data: { type: 'string' } } });
const seen = perform(values.data);
const documents = [
  { path: 'docs/first-five-minutes.md', text: transcript(seen) },
  { path: 'README.md', text: withTour(readFileSync(join(root, 'README.md'), 'utf8'), tour(seen)) },
];
if (values.check) {
  const different = documents.filter(({ path, text }) => normalise(readFileSync(join(root, path), 'utf8')) !== normalise(text));
  for (const { path, text } of different) console.error(`${path} says something else than what was seen now:\n${differences(path, text)}`);
  if (different.length > 0) console.error('To write what is true now: node scripts/transcript.mjs');
  process.exitCode = different.length > 0 ? 1 : 0;
} else {
  for (const { path, text } of documents) {
    writeFileSync(join(root, path), text);
    console.log(`wrote ${path}`);
  }
}

/** Every command of every chapter, with its output. */
function perform(data) {
  const base = mkdtempSync(join(realpathSync(tmpdir()), 'devenv-transcript-'));
  const folder = join(base, 'home/hello');
  const env = {
    ...process.env,
    HOME: join(base, 'home'),
    DEVENV_BASE_DIR: base,
    PATH: `${join(root, 'packages/cli/bin')}:${process.env.PATH}`,
  };
  for (const name of ['CI', 'GITHUB_ACTIONS', 'GITLAB_CI', 'FORCE_COLOR', 'NO_COLOR']) delete env[name];
  const shell = (command, cwd) => {
    const { status, stdout } = spawnSync('/bin/sh', ['-c', `exec 2>&1\n${command}`], { cwd, env, encoding: 'utf8' });
    const output = stdout.replace(/^.* … still running .*\n/gm, '').replaceAll(folder, '~/hello');
    // The column was as wide as the folder's real name.
    return { status, output: output.replace(/^(NAME .*FOLDER) +/gm, '$1   ') };
  };
  try {
    if (data) cpSyncLinked(data, join(base, 'data'));
    makeBase(join(base, 'home/base'), shell);
    cpSync(join(root, 'examples/hello'), folder, { recursive: true });
    rmSync(join(folder, 'README.md'));
    return chapters.map((chapter) => ({
      ...chapter,
      commands: chapter.commands.map((command) => ({ ...command, ...shell(command.run, folder) })),
    }));
  } finally {
    shell('devenv down --volumes', folder);
    rmSync(base, { recursive: true, force: true });
  }
}

/** The one part that takes minutes over a slow line is left out of what is shown; it is told. */
function makeBase(folder, shell) {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'devenv.json'), '{ "image": { "debian": "bookworm" } }');
  const { status, output } = shell('devenv build', folder);
  if (status !== 0) throw new Error(`the base could not be made:\n${output}`);
}

function cpSyncLinked(from, to) {
  const { status, stderr } = spawnSync('cp', ['-al', from, to], { encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
}

function transcript(performed) {
  const parts = performed.map(({ title, text, commands }) => `## ${title}\n\n${text}\n\n${block(commands)}`);
  return `# The first five minutes

Written by \`node scripts/transcript.mjs\`, which runs these commands in a copy of \`examples/hello\`; a test fails when it sees something else.
Debian's base had been made before, which takes about a minute once for all projects. \`… still running\` lines are left out.

${parts.join('\n\n')}
`;
}

function tour(performed) {
  return block(performed.flatMap(({ commands }) => commands.filter((command) => command.tour)));
}

function block(commands) {
  return `\`\`\`console\n${commands.map(({ run, output }) => `$ ${run}\n${output}`).join('')}\`\`\``;
}

function withTour(readme, text) {
  const marked = /(<!-- tour: scripts\/transcript\.mjs -->\n\n)[^]*?(\n\n<!-- end of tour -->)/;
  if (!marked.test(readme)) throw new Error('README.md has no place for the tour');
  return readme.replace(marked, (_, begin, end) => `${begin}${text}${end}`);
}

/** What may differ from run to run: times, how long things took, ids made from the folder. */
function normalise(text) {
  return text
    .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'TIME')
    .replaceAll(/\b(?:\d+ min )?\d+(?:\.\d+)? m?s\b/g, 'SECONDS')
    .replaceAll(/\b[0-9a-f]{16}\b/g, 'ID')
    .replaceAll(/ {2,}/g, '  ');
}

function differences(path, text) {
  const now = mkdtempSync(join(tmpdir(), 'devenv-transcript-'));
  try {
    writeFileSync(join(now, 'written'), normalise(readFileSync(join(root, path), 'utf8')));
    writeFileSync(join(now, 'seen'), normalise(text));
    return spawnSync('diff', ['-u', 'written', 'seen'], { cwd: now, encoding: 'utf8' }).stdout;
  } finally {
    rmSync(now, { recursive: true });
  }
}
