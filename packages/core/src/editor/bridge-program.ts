import type { Customizations } from './customizations.ts';

/** Arguments of the program below. */
export interface BridgeArguments {
  /** Folder of the server, as the program sees it. */
  readonly server: string;
  /** undefined: what the server was given stays. */
  readonly customizations: Customizations | undefined;
  /** Of the environment, for people. */
  readonly name: string;
}

/** `NODE -e bridgeProgram SERVER CUSTOMIZATIONS NAME`, as a command. */
export function bridgeCommand(node: string, { server, customizations, name }: BridgeArguments): readonly string[] {
  return [node, '-e', bridgeProgram, server, JSON.stringify(customizations ?? null), name];
}

/**
 * What runs in a container for each connection of an editor: it starts the editor's server unless that runs, gives it what was added
 * to the customizations since, says on stdout in one line of JSON what it is (`Greeting`), and from then on is a pipe between its own
 * descriptors and the server's socket. Node's own modules only; the server outlives it and ends with the container.
 *
 * Socket and token are in a folder of /tmp that is the user's alone: a home may be a volume that several containers have. Who may
 * start the server is whoever listens at an abstract socket (unix(7)), which cannot outlive its owner. What this container's server was
 * given is remembered there, too.
 */
const bridgeProgram = `
const fs = require('node:fs'), net = require('node:net'), os = require('node:os'), path = require('node:path');
const server = process.argv[1], name = process.argv[3], uid = process.getuid();
const product = JSON.parse(fs.readFileSync(path.join(server, 'product.json'), 'utf8'));
const place = '/tmp/devenv-editor-' + uid;
const key = path.basename(path.dirname(server));
const at = (name) => path.join(place, key + '.' + name);
const wait = (ms) => new Promise((done) => setTimeout(done, ms));
const fail = (text) => { process.stderr.write(text + '\\n'); process.exit(1); };

function prepare() {
  try { fs.mkdirSync(place, { mode: 0o700 }); } catch (error) { if (error.code !== 'EEXIST') throw error; }
  const stats = fs.lstatSync(place);
  if (!stats.isDirectory() || stats.uid !== uid || (stats.mode & 0o077) !== 0) fail(place + ' belongs to somebody else');
}
function connect() {
  return new Promise((done) => {
    const socket = net.connect(at('sock'));
    socket.once('connect', () => done(socket)).once('error', () => done(undefined));
  });
}
function claim() {
  return new Promise((done) => {
    const lock = net.createServer();
    lock.once('error', () => done(undefined)).listen('\\0devenv-editor-' + uid + '-' + key, () => done(lock));
  });
}
function home() {
  const folder = path.join(os.homedir(), '.devenv-server');
  try { fs.mkdirSync(folder, { recursive: true, mode: 0o700 }); fs.accessSync(folder, fs.constants.W_OK); return folder; } catch { return path.join(place, 'server'); }
}
const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);
const isObject = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);
function given() {
  let read;
  try { read = JSON.parse(fs.readFileSync(at('given'), 'utf8')); } catch {}
  const { extensions, settings } = isObject(read) ? read : {};
  return { extensions: isObject(extensions) ? extensions : {}, settings: isObject(settings) ? settings : {} };
}
// Which state of its file an extension comes from; undefined: that is not there, and may come later.
function stateOf(name) {
  if (!name.endsWith('.vsix')) return '';
  try { const { mtimeMs, size } = fs.statSync(name); return mtimeMs + '-' + size; } catch { return undefined; }
}
function toGive() {
  const states = wanted.extensions.map((name) => [name, stateOf(name)]);
  return { extensions: Object.fromEntries(states.filter(([, state]) => state !== undefined)), settings: wanted.settings };
}
function remember(extensions, settings) {
  fs.writeFileSync(at('given'), JSON.stringify({ extensions, settings }), { mode: 0o600 });
}
function readSettings(file) {
  const text = fs.readFileSync(file, 'utf8').trim();
  const settings = text === '' ? {} : JSON.parse(text);
  if (!isObject(settings)) throw new Error('it is no object');
  return settings;
}
// Returns what was given, now or before. What somebody else has set stays while devenv.json asks for nothing new there.
function configure() {
  const file = path.join(data, 'data/Machine/settings.json'), there = fs.existsSync(file), old = there ? given().settings : {};
  try {
    const before = there ? readSettings(file) : {}, after = { ...before };
    for (const name of Object.keys(old)) if (!(name in wanted.settings) && same(before[name], old[name])) delete after[name];
    for (const name of Object.keys(wanted.settings)) if (!same(wanted.settings[name], old[name])) after[name] = wanted.settings[name];
    if (!same(before, after)) {
      fs.mkdirSync(path.dirname(file), { recursive: true });
      fs.writeFileSync(file, JSON.stringify(after, undefined, 2) + '\\n');
    }
    return wanted.settings;
  } catch (error) {
    problems.push('Settings of devenv.json are not in the environment: ' + file + ' is left as it is, since it has comments or cannot be read (' + error.message + ')');
    return old;
  }
}
function spawnServer(args, log, env) {
  const options = { detached: true, stdio: ['ignore', log, log], cwd: '/', env: { ...process.env, ...env } };
  return require('node:child_process').spawn(process.execPath, [path.join(server, 'out/server-main.js'), ...args], options);
}
const install = (names) => names.flatMap((name) => ['--install-extension', name]);
// Returns those that failed. A gallery that does not answer holds nobody up for longer.
async function add(names) {
  const log = fs.openSync(at('log'), 'a', 0o600), before = fs.fstatSync(log).size;
  const child = spawnServer(['--server-data-dir', data, ...install(names)], log);
  const code = await Promise.race([wait(20000), new Promise((done) => child.once('exit', done).once('error', done))]);
  if (code === undefined || code === 0) return [];
  const said = /^Failed Installing Extensions: (.*)$/m.exec(fs.readFileSync(at('log')).subarray(before).toString());
  return said ? said[1].split(', ') : names;
}
// What failed is not tried again at each connection, but when its file has changed and when a server starts.
async function give() {
  const old = given().extensions, { extensions } = toGive(), settings = configure();
  const added = Object.keys(extensions).filter((name) => old[name] !== extensions[name]);
  if (added.length > 0) absent.push(...(await add(added)));
  remember(extensions, settings);
}
// Who says nothing of a language would be given one by the editor that few images have; this one is there where its files are.
function language() {
  const said = ['LC_ALL', 'LC_CTYPE', 'LANG'].some((name) => process.env[name]);
  return !said && ['C.utf8', 'C.UTF-8'].some((name) => fs.existsSync('/usr/lib/locale/' + name)) ? { LANG: 'C.UTF-8' } : {};
}
async function start() {
  for (const name of ['sock', 'token']) fs.rmSync(at(name), { force: true });
  fs.writeFileSync(at('token'), require('node:crypto').randomBytes(32).toString('hex'), { mode: 0o600, flag: 'wx' });
  const log = fs.openSync(at('log'), 'w', 0o600), { extensions } = toGive(), names = Object.keys(extensions);
  remember(extensions, configure());
  const args = ['--socket-path', at('sock'), '--connection-token-file', at('token'), '--accept-server-license-terms',
    '--telemetry-level', 'off', '--server-data-dir', data, ...install(names), ...(names.length > 0 ? ['--start-server'] : [])];
  const child = spawnServer(args, log, language());
  let ended;
  child.once('exit', (code, signal) => { ended = String(signal ?? code); }).once('error', (error) => { ended = error.message; });
  for (let socket; ; await wait(20)) {
    if ((socket = await connect())) { child.unref(); return socket; }
    if (ended !== undefined) fail('the editor\\'s server ended (' + ended + '):\\n' + fs.readFileSync(at('log'), 'utf8').slice(-2000));
  }
}
async function reach() {
  for (;; await wait(30)) {
    const socket = same(given(), toGive()) && (await connect());
    if (socket) return socket;
    const lock = await claim();
    if (!lock) continue;
    let own = await connect();
    if (own) await give(); else own = await start();
    lock.close();
    return own;
  }
}
prepare();
const data = home(), problems = [], absent = [], before = given();
const wanted = JSON.parse(process.argv[2]) ?? { ...before, extensions: Object.keys(before.extensions) };
reach().then((socket) => {
  const { commit, version } = product;
  absent.push(...wanted.extensions.filter((name) => stateOf(name) === undefined));
  if (absent.length > 0) problems.push('Extensions that devenv.json names are not in the environment: ' + absent.join(', '));
  process.stdout.write(JSON.stringify({ schema: 1, version, commit, name, token: fs.readFileSync(at('token'), 'utf8'), problems }) + '\\n');
  process.stdin.pipe(socket).pipe(process.stdout);
  process.stdin.on('end', () => socket.end(() => process.exit(0)));
  socket.on('error', () => {}).on('close', () => process.exit(0));
  process.stdout.on('error', () => process.exit(0));
}, (error) => fail(error.message));
`;
