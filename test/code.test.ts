import { spawn } from 'node:child_process';
import { existsSync, globSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import {
  createServer,
  request,
  type ClientRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type OutgoingHttpHeaders,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { connectProcess } from '../resolver/src/connect-process.ts';
import { greet } from '../resolver/src/connect.ts';
import {
  editorEnvironment,
  patience,
  processes,
  startBrowser,
  startCode,
  type BrowserRig,
  type CodeProcess,
  type Window,
} from './browser.ts';
import { debian, launcher, makeRig, type Rig } from './rig.ts';

let rig: Rig;
let cwd: string;
let browser: BrowserRig;
let code: CodeProcess;
let shop: Window;

beforeAll(async () => {
  [rig, browser] = await Promise.all([makeRig(), startBrowser()]);
  const customizations = { vscode: { extensions: ['./gone.vsix'] } };
  const config = { image: debian, user: 'dev', name: 'shop', customizations };
  cwd = rig.project({ 'devenv.json': config, 'note.txt': 'hello\n', 'read.md': '# Read\n' }, 'shop');
  code = await startCode(rig, [], { cwd });
  cutNetwork(cwd);
  shop = await browser.open(code.url);
  await shop.ready();
}, 420_000);
afterAll(async () => {
  await code?.[Symbol.asyncDispose]();
  await browser?.[Symbol.asyncDispose]();
  await rig[Symbol.asyncDispose]();
});

/** What joins the container to the outside is gone: whatever works from here on needs no network. */
function cutNetwork(folder: string): void {
  const pasta = processes(/^pasta /).filter(({ command }) => command.includes(rig.base));
  expect(pasta, folder).toHaveLength(1);
  process.kill(pasta[0]!.pid);
}

test('a file of an extension that is not there is told', async () => {
  const told = await shop.told(/gone\.vsix/);
  expect(await told.innerText()).toContain('are not in the environment: /workspace/gone.vsix');
});

test('the page shows the files of the workspace, and its terminal is in the container, which needs no network for it', async () => {
  expect(await shop.files()).toEqual(['devenv.json', 'note.txt', 'read.md']);
  const shown = await shop.terminal('echo "<$(id -un)@$(hostname)>" "<$LANG>"; cat /proc/net/route | wc -l', /<dev@shop> <.*>/);
  expect(shown).toContain('<dev@shop> <C.UTF-8>');
});

test("a file that is saved there is on this machine, as the workspace's owner", async () => {
  await shop.openFile('note.txt');
  await shop.page.locator('.editor-instance .view-lines').first().click();
  await shop.page.keyboard.press('Control+End');
  await shop.page.keyboard.type('from the container');
  await expect.poll(() => shop.save(join(cwd, 'note.txt')), { timeout: patience }).toBe('hello\nfrom the container');
  expect(statSync(join(cwd, 'note.txt')).uid).toBe(statSync(cwd).uid);
});

test('a bridge that is killed is made again, and the same terminal goes on', async () => {
  const bridges = (): readonly number[] => processes(new RegExp(`main\\.js code --bridge ${code.environmentId}`)).map(({ pid }) => pid);
  const killed = bridges();
  expect(killed.length).toBeGreaterThan(0);
  for (const pid of killed) process.kill(pid, 'SIGKILL');
  const others = (): number => bridges().filter((pid) => !killed.includes(pid)).length;
  await expect.poll(others, { timeout: patience }).toBe(killed.length);
  await shop.page.locator('.xterm:visible .xterm-helper-textarea').focus();
  await shop.page.keyboard.type('echo after-$((1+1))\n');
  await expect.poll(() => shop.page.locator('.xterm:visible .xterm-rows').innerText(), { timeout: patience }).toContain('after-2');
});

test('the server wants a token that is in a file of the user alone, and in no command line', async () => {
  const script =
    'stat -c "%a %U" /tmp/devenv-editor-*/*.token; cat /tmp/devenv-editor-*/*.token; echo; cat /proc/[0-9]*/cmdline | tr "\\0" "\\n"';
  const [mode, token, ...commands] = (await rig.ok(['exec', 'sh', '-c', script], { cwd })).stdout.split('\n');
  expect(mode).toBe('600 dev');
  expect(token).toMatch(/^[0-9a-f]{64}$/);
  expect(commands.join('\n')).toContain('server-main.js');
  expect(commands.join('\n')).not.toContain(token);
});

test('the page has asked nobody else, and its policy forbids it', async () => {
  const own = new Set([`http://devenv.localhost:${code.port}`, `ws://devenv.localhost:${code.port}`]);
  const foreign = browser.asked.filter((url) => !/^(?:data|blob):/.test(url) && !own.has(new URL(url).origin));
  expect(foreign).toEqual([]);
  expect(browser.asked.length).toBeGreaterThan(20);
  const outcome = await shop.page.evaluate(() => fetch('http://127.0.0.1:9/').then(String, (error: unknown) => String(error)));
  expect(outcome).toContain('Failed to fetch');
});

test.each([
  ['no token', '/', {}],
  ['a wrong token', '/?token=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA', {}],
  ['a wrong cookie', '/', { cookie: 'devenv-PORT=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA' }],
  ["another name's Host", 'TOKEN', { host: 'evil.example:PORT' }],
  ["another name's Host on the client", '/client/out/nls.messages.js', { host: 'evil.example:PORT' }],
  ["a webview's Host for what is no file of the client", 'TOKEN', { host: 'a.devenv.localhost:PORT' }],
  ['another Origin', 'TOKEN', { origin: 'http://evil.example' }],
  ["a webview's Origin", 'TOKEN', { origin: 'http://a.devenv.localhost:PORT' }],
])('a request with %s is refused', async (_what, path, headers) => {
  expect(await ask(path, headers)).toBe(403);
});

test.each([
  ['the right cookie from another Origin', { cookie: 'COOKIE', origin: 'http://evil.example' }],
  ['the right cookie from no Origin', { cookie: 'COOKIE' }],
  [
    "the right cookie from a webview's Origin",
    { cookie: 'COOKIE', host: 'devenv.localhost:PORT', origin: 'http://a.devenv.localhost:PORT' },
  ],
  ['no cookie', { origin: 'http://127.0.0.1:PORT' }],
])('a WebSocket with %s is refused', async (_what, headers) => {
  for (const path of ['/devenv-cli', `/connect?authority=devenv%2B${code.environmentId}`]) expect(await ask(path, headers, true)).toBe(403);
});

test.each([
  ['the page', 'ROOT/', false],
  ['a file', 'ROOT/client/out/nls.messages.js', false],
  ['a socket', 'ROOT/devenv-cli', true],
])('%s is refused with the right cookie at another path than the one that nobody can guess', async (_what, path, upgrade) => {
  const headers = { cookie: 'COOKIE', origin: 'http://127.0.0.1:PORT' };
  expect(await ask(path, headers, upgrade)).toBe(403);
  expect(await ask(path.replace('ROOT', ''), headers, upgrade)).not.toBe(403);
});

test('who listens at another port of the same name is not given the cookie', async () => {
  const heard: IncomingHttpHeaders[] = [];
  const other = createServer(({ headers }, response) => {
    heard.push(headers);
    response.end('text');
  });
  await once(other.listen(0, '127.0.0.1'), 'listening');
  const page = await browser.context.newPage();
  await page.goto(`http://devenv.localhost:${(other.address() as AddressInfo).port}/`);
  await page.close();
  other.close();
  expect(heard.map(({ cookie }) => cookie)).toContain(undefined);
  expect(heard.filter(({ cookie }) => cookie !== undefined)).toEqual([]);
});

test('the address is good for one look: the token goes into a cookie that scripts cannot read, and out of the address', async () => {
  expect(await ask('TOKEN', {})).toBe(200);
  expect(await ask('/', { cookie: 'COOKIE' })).toBe(200);
  expect(shop.page.url()).not.toContain('token');
  expect(await shop.page.evaluate('document.cookie')).toBe('');
});

test('nothing of the checkout or the machine is served, whatever the path says', async () => {
  for (const path of [
    '/client/%2e%2e/server/product.json',
    '/client/..%2f..%2fetc/passwd',
    '/extension/../package.json',
    '//etc/passwd',
    '/none',
  ])
    expect([path, await ask(path, { cookie: 'COOKIE' })]).not.toEqual([path, 200]);
});

test('a second devenv code at the same port says so', async () => {
  const result = await rig.devenv(['code', '--no-open', '--json', '--port', String(code.port)], { cwd, env: editorEnvironment });
  expect(result.json).toMatchObject({ outcome: 'error', code: 'PORT_TAKEN' });
});

test('the server for windows of this machine ends with devenv code, also when that is killed', async () => {
  await using local = await startCode(rig, ['--local'], { cwd });
  const servers = (): unknown[] =>
    processes(/server-main\.js/).filter(({ command }) => command.includes(rig.base) && !command.includes('/run/devenv/'));
  const headers = { cookie: 'COOKIE', origin: 'http://127.0.0.1:PORT' };
  expect(await ask('/connect?authority=devenv-host%2Bthis', headers, true, local)).toBe(101);
  await expect.poll(() => servers().length, { timeout: patience }).toBeGreaterThan(0);
  process.kill(local.pid, 'SIGKILL');
  await expect.poll(servers, { timeout: patience }).toEqual([]);
});

test('a bridge to what is not here says so', async () => {
  for (const id of ['0123456789abcdef', '../../etc']) {
    const { exitCode, stderr } = await rig.devenv(['code', '--bridge', id], { env: editorEnvironment });
    expect([exitCode, stderr]).toEqual([1, expect.stringContaining('There is no environment')]);
  }
});

test('the transport of desktop editors reaches the same server, and says when there is none of their version', async () => {
  const wanted = JSON.parse(readFileSync(join(productFolder(), 'product.json'), 'utf8')) as { commit: string; version: string };
  const program = join(rig.base, 'devenv-with-environment');
  const variables = Object.entries({ ...rig.user.env, ...editorEnvironment }).map(([name, value]) => `export ${name}='${value}'\n`);
  writeFileSync(program, `#!/bin/sh\n${variables.join('')}exec devenv "$@"\n`, { mode: 0o755 });
  const { greeting, pipe } = await greet(
    connectProcess(
      () => program,
      () => wanted.commit,
    )(`devenv+${code.environmentId}`),
  );
  expect(greeting).toMatchObject({ schema: 1, commit: wanted.commit, version: wanted.version });
  let answer = '';
  pipe.onData((bytes) => (answer += Buffer.from(bytes).toString()));
  const ended = new Promise((resolve) => pipe.onClose(resolve));
  pipe.send(Buffer.from('GET /version HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'));
  await ended;
  expect(answer).toContain(wanted.commit);
  const none = connectProcess(
    () => program,
    () => 'f'.repeat(40),
  )(`devenv+${code.environmentId}`);
  await expect(greet(none)).rejects.toThrow(/no server of this editor's version.*DEVENV_EDITOR_SERVER/s);
});

test('the container that is there can be joined while its next layers are built', async () => {
  const file = join(cwd, 'devenv.json');
  const before = readFileSync(file, 'utf8');
  writeFileSync(file, JSON.stringify({ ...(JSON.parse(before) as object), steps: [{ run: 'sleep 607.5' }] }));
  const building = spawn(launcher, ['up'], { cwd, env: rig.user.env, stdio: 'ignore' });
  const ended = once(building, 'exit');
  try {
    await expect.poll(() => processes(/^sleep 607\.5/).length, { timeout: patience }).toBe(1);
    const variables = { ...rig.user.env, ...editorEnvironment };
    const bridge = spawn(launcher, ['code', '--bridge', code.environmentId!], { cwd, env: variables, stdio: ['pipe', 'pipe', 'inherit'] });
    const [greeting] = (await once(bridge.stdout, 'data')) as [Buffer];
    expect(JSON.parse(greeting.toString().split('\n')[0]!)).toMatchObject({ name: 'shop' });
    bridge.stdin.end();
    await once(bridge, 'exit');
  } finally {
    writeFileSync(file, before);
    building.kill('SIGINT');
    await ended;
  }
});

test('a desktop editor that may join is opened; one that may not is told what is missing, and the page opens', async () => {
  const programs = join(rig.base, 'desktop');
  mkdirSync(programs, { recursive: true });
  const { commit } = JSON.parse(readFileSync(join(productFolder(), 'product.json'), 'utf8')) as { commit: string };
  const script = `#!/bin/sh
case $1 in
  --version) printf '1.137.0\\n${commit}\\nx64\\n' ;;
  --list-extensions) [ -f "${rig.base}/installed" ] && printf 'devenv.devenv\\ndevenv.devenv-resolver\\n' ;;
  *) echo "$*" > "${rig.base}/opened" ;;
esac
`;
  writeFileSync(join(programs, 'codium'), script, { mode: 0o755 });
  writeFileSync(join(programs, 'xdg-open'), `#!/bin/sh\ncat "$1" > "${rig.base}/browsed.html"\n`, { mode: 0o755 });
  const env = { ...editorEnvironment, DISPLAY: ':99', PATH: `${programs}:${process.env['PATH']}` };
  const stop = new AbortController();
  const page = rig.devenv(['code'], { cwd, env, interrupt: stop.signal });
  const browsed = join(rig.base, 'browsed.html');
  await expect.poll(() => existsSync(browsed) && readFileSync(browsed, 'utf8'), { timeout: patience }).toContain('token=');
  // A page of a file is a stranger to ours, and what it leads to has to open all the same.
  const { page: led } = await browser.open(`file://${browsed}`);
  await led.locator('.monaco-workbench').waitFor({ timeout: patience });
  await led.close();
  stop.abort();
  const { stderr } = await page;
  expect(stderr).toMatch(
    /codium cannot open environments yet[^]*devenv\.devenv-resolver[^]*argv\.json[^]*"enable-proposed-api": \["devenv\.devenv-resolver"\]/,
  );

  const settings = join(rig.base, 'home/.vscode-oss');
  mkdirSync(settings, { recursive: true });
  writeFileSync(join(settings, 'argv.json'), '// comment\n{ "enable-proposed-api": ["devenv.devenv-resolver"] }');
  writeFileSync(join(rig.base, 'installed'), '');
  const result = await rig.ok(['code', '--json'], { cwd, env });
  expect(result.json).toMatchObject({ opened: 'desktop', environmentId: code.environmentId });
  const opened = (): string => (existsSync(join(rig.base, 'opened')) ? readFileSync(join(rig.base, 'opened'), 'utf8').trim() : '');
  await expect.poll(opened, { timeout: patience }).toBe(`--folder-uri vscode-remote://devenv%2B${code.environmentId}/workspace`);
});

test('in a terminal of code-server it opens through the proxy of that, webviews too', async () => {
  await using outer = await startProxy();
  const hook = join(rig.base, 'hook.sock');
  const opened: { type: string; uris: string[] }[] = [];
  const editor = createServer((asked, response) => {
    asked.setEncoding('utf8').on('data', (text: string) => opened.push(JSON.parse(text) as (typeof opened)[number]));
    asked.on('end', () => response.setHeader('content-type', 'application/json').end('null'));
  }).listen(hook);
  const env = { ...editorEnvironment, VSCODE_IPC_HOOK_CLI: hook, VSCODE_PROXY_URI: `http://127.0.0.1:${outer.port}/proxy/{{port}}/` };
  const stop = new AbortController();
  const running = rig.devenv(['code'], { cwd, env, interrupt: stop.signal });
  await expect.poll(() => opened.length, { timeout: patience }).toBe(1);
  expect(opened[0]).toEqual({ type: 'openExternal', uris: [expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+\/proxy\/\d+\/\w+\//)] });
  const window = await browser.open(opened[0]!.uris[0]!);
  await window.ready();
  expect(await window.files()).toContain('note.txt');
  await window.openFile('read.md');
  await window.command('Markdown: Open Preview');
  await expect
    .poll(() => window.page.frameLocator('iframe.webview').frameLocator('#active-frame').locator('body').innerText(), { timeout: patience })
    .toContain('Read');
  await window.page.close();
  stop.abort();
  await running;
  editor.close();
});

/** As code-server's: `/proxy/PORT/PATH` is PATH of a port of this machine. */
async function startProxy(): Promise<AsyncDisposable & { readonly port: number }> {
  const forward = ({ url = '', method, headers }: IncomingMessage): ClientRequest => {
    const [, port, path] = /^\/proxy\/(\d+)(\/.*)$/.exec(url) ?? [];
    return request({ host: '127.0.0.1', port, path, method, headers, agent: false });
  };
  const server = createServer((asked, response) => {
    const forwarded = forward(asked).on('error', () => response.destroy());
    forwarded.on('response', (answer) => answer.pipe(response.writeHead(answer.statusCode!, answer.headers))).end();
  });
  server.on('upgrade', (asked, stream) => {
    const forwarded = forward(asked).on('error', () => stream.destroy());
    forwarded.on('response', () => stream.destroy());
    forwarded.on('upgrade', (answer, inner, head) => {
      const lines = Object.entries(answer.headers).map(([name, value]) => `${name}: ${String(value)}\r\n`);
      stream.write(`HTTP/1.1 101 Switching Protocols\r\n${lines.join('')}\r\n`);
      stream.write(head);
      stream.pipe(inner).pipe(stream);
      for (const [one, two] of [
        [stream, inner],
        [inner, stream],
      ] as const)
        one.on('error', () => {}).on('close', () => two.destroy()); // a server ends when they all have
    });
    forwarded.end();
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Of the server that the browser host uses. */
function productFolder(): string {
  const [folder] = globSync(join(editorEnvironment['DEVENV_EDITOR_DIR']!, '*', 'server', 'product.json'));
  return dirname(folder!);
}

/** The status of an answer. PORT, TOKEN and COOKIE stand for the real ones; a path is below the one that nobody can guess, or of the ROOT. */
function ask(path: string, headers: OutgoingHttpHeaders, upgrade: boolean = false, { url, port }: CodeProcess = code): Promise<number> {
  const { pathname: root, searchParams } = new URL(url);
  const token = searchParams.get('token');
  const place =
    path === 'TOKEN' ? `${root}?token=${token}` : path.startsWith('ROOT') ? path.slice('ROOT'.length) : root.slice(0, -1) + path;
  const real = (text: string): string => text.replace('PORT', String(port)).replace('COOKIE', `devenv-${port}=${token}`);
  const given = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, real(String(value))]));
  const handshake = {
    connection: 'Upgrade',
    upgrade: 'websocket',
    'sec-websocket-version': '13',
    'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==',
  };
  return new Promise((resolve, reject) => {
    const asked = request({
      host: '127.0.0.1',
      port,
      path: place,
      headers: { ...given, ...(upgrade ? handshake : {}) },
      agent: false,
    });
    asked.on('response', (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    asked.on('upgrade', (_response, socket) => {
      socket.destroy();
      resolve(101);
    });
    asked.on('error', reject).end();
  });
}
