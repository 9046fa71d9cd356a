/** A job of continuous integration: no terminal, one command, a log that is all there is afterwards. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { debian, makeRig, type Rig } from './rig.ts';

let rig: Rig;
beforeAll(async () => {
  rig = await makeRig();
});
afterAll(() => rig[Symbol.asyncDispose]());

test('in GitHub Actions: groups, masks before all else, no command from a step, and the exit code of the command', async () => {
  const cwd = rig.project({
    'devenv.json': {
      image: debian,
      steps: [
        {
          name: 'deps',
          run: 'test "$(cat /run/secrets/TOKEN)" = s3cret && echo "::set-output name=a::b" && echo built',
          secrets: ['TOKEN'],
        },
      ],
    },
  });
  const env = { GITHUB_ACTIONS: 'true', GITHUB_WORKSPACE: cwd, TOKEN: 's3cret' };
  const { exitCode, stdout, stderr } = await rig.devenv(['run', '--', 'sh', '-c', 'echo tested; test ! -t 1; exit 7'], { cwd, env });
  expect({ exitCode, stdout }).toEqual({ exitCode: 7, stdout: 'tested\n' });
  expect(stderr).toMatch(/^::add-mask::s3cret\n/);
  expect(stderr.replaceAll(/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, 'TOKEN')).toMatch(
    /\n::group::\[1\/1\] deps.*\n::stop-commands::TOKEN\n::set-output name=a::b\nbuilt\n::TOKEN::\n::endgroup::\n\[1\/1\] deps done /,
  );
});

test('in GitHub Actions a step that fails is pinned to its line', async () => {
  const cwd = rig.project({
    'sub/devenv.json': `{\n  "image": ${JSON.stringify(debian)},\n  "steps": [\n    { "run": "echo no; exit 3" }\n  ]\n}\n`,
  });
  const { exitCode, stderr } = await rig.devenv(['run', '-C', 'sub', 'true'], {
    cwd,
    env: { GITHUB_ACTIONS: 'true', GITHUB_WORKSPACE: cwd },
  });
  expect(exitCode).toBe(125);
  // The annotation counts only when the commands are on again.
  expect(stderr.match(/^::stop-commands::/gm)?.length).toBe(stderr.match(/^::[0-9a-f-]{36}::$/gm)?.length);
  expect(stderr).toMatch(
    /^::error file=sub\/devenv\.json,line=4,col=5,title=STEP_FAILED::The step "echo no; exit 3" ended with exit code 3\.$/m,
  );
});

test('in GitLab each step is a section', async () => {
  const cwd = rig.project({ 'devenv.json': { image: debian, steps: [{ name: 'deps', run: 'echo built' }] } });
  const { stderr } = await rig.ok(['build'], { cwd, env: { GITLAB_CI: 'true' } });
  const marked = stderr.replaceAll('\u001B[0K', '<').replaceAll('\r<', '>');
  expect(marked).toMatch(/^<section_start:\d+:(devenv_\d+)>\[1\/1\] deps.*\nbuilt\n<section_end:\d+:\1>\n\[1\/1\] deps done/m);
});

test('an environment that idles has no log, and says so', async () => {
  const cwd = rig.project({ 'devenv.json': { image: debian } });
  await rig.ok(['up'], { cwd });
  const { stdout, stderr } = await rig.ok(['logs', '-f'], { cwd });
  expect({ stdout, stderr }).toEqual({ stdout: '', stderr: expect.stringContaining('no command of its own') as string });
});
