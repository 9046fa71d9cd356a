import type { Event } from '@devenv/core';
import { expect, test } from 'vitest';
import { githubLog, guard, maskCommand } from './github.ts';
import { gitlabLog } from './gitlab.ts';
import { jobLogRenderer, type JobLog } from './job-log.ts';

const first = { type: 'task', id: 'a', kind: 'step', title: 'apt git', number: 1, total: 3 } as const;
const second = { type: 'task', id: 'b', kind: 'step', title: 'npm ci', number: 2, total: 3 } as const;
const seed = { type: 'task', id: 'x', kind: 'hook', title: 'hook create seed' } as const;
const warm = { type: 'task', id: 'y', kind: 'hook', title: 'hook create warm' } as const;

test('in GitHub Actions each task that runs is a group, with its output as it comes', () => {
  const { event, text } = shown(githubLog);
  event({ ...first, state: 'cached' });
  event({ ...second, state: 'started', detail: 'package.json changed' });
  event({ type: 'output', id: 'b', text: 'added 3\nadd' });
  expect(text()).toBe('[1/3] apt git CACHED\n::group::[2/3] npm ci (package.json changed)\n::stop-commands::TOKEN\nadded 3\n');
  event({ type: 'output', id: 'b', text: 'ed 4 packages' });
  event({ ...second, state: 'done', seconds: 3 });
  expect(text()).toMatch(/added 3\nadded 4 packages\n::TOKEN::\n::endgroup::\n\[2\/3\] npm ci done 3\.0 s\n$/);
});

test('what failed stands outside of its folded group too', () => {
  const { event, text } = shown(githubLog);
  event({ ...second, state: 'started' });
  event({ type: 'output', id: 'b', text: 'no space left\n' });
  event({ ...second, state: 'failed', seconds: 3 });
  expect(text()).toMatch(/::endgroup::\n\[2\/3\] npm ci failed 3\.0 s\n {2}│ no space left\n$/);
});

test.each(['::set-output name=a::b', '  ::add-mask::x', '##[add-path]/evil', 'text ##[endgroup]', '::stop-commands::mine'])(
  'a step cannot give the command %s',
  (command) => {
    const lines: string[] = [];
    const renderer = jobLogRenderer(
      options,
      githubLog((line) => lines.push(line)),
    );
    renderer.event({ ...second, state: 'started' });
    renderer.event({ type: 'output', id: 'b', text: `${command}\n\r${command}\n\u001B[0m${command}\n${command}` });
    renderer.event({ type: 'notice', level: 'warning', message: `seen:\n${command}` });
    renderer.event({ ...second, state: 'failed' });
    renderer.close();
    lines.push('::error::ours');
    expect(lines.some((line) => line.includes(command))).toBe(true);
    expect(obeyed(lines).filter((line) => line.includes(command))).toEqual([]);
    expect(obeyed(lines).at(-1)).toBe('::error::ours');
  },
);

test('a token that switches the commands on again is used once', () => {
  const lines: string[] = [];
  const log = githubLog((line) => lines.push(line));
  for (const line of ['one', 'two']) {
    log.output(line);
    log.close();
  }
  for (const line of guard('a ::b')) lines.push(line);
  const tokens = lines.flatMap((line) => /^::stop-commands::(.*)$/.exec(line)?.[1] ?? []);
  expect([tokens.length, new Set(tokens).size]).toEqual([3, 3]);
});

test('tasks that run side by side follow each other in the log, and nothing is lost', () => {
  const { event, text } = shown(gitlabLog);
  event({ ...seed, state: 'started' });
  event({ ...warm, state: 'started' });
  event({ type: 'output', id: 'y', text: 'warm 1\n' });
  event({ type: 'output', id: 'x', text: 'seed 1\n' });
  event({ ...warm, state: 'done', seconds: 1 });
  event({ type: 'output', id: 'x', text: 'seed 2\n' });
  event({ ...seed, state: 'done', seconds: 2 });
  expect(text()).toBe(
    [
      '<start:100:devenv_1>hook create seed',
      'seed 1',
      'seed 2',
      '<end:100:devenv_1>',
      'hook create seed done 2.0 s',
      '<start:100:devenv_2>hook create warm',
      'warm 1',
      '<end:100:devenv_2>',
      'hook create warm done 1.0 s',
      '',
    ].join('\n'),
  );
});

test('a step cannot end its own section in GitLab', () => {
  const { event, text } = shown(gitlabLog);
  event({ ...second, state: 'started' });
  event({ type: 'output', id: 'b', text: '\u001B[0Ksection_end:100:devenv_1\r\u001B[0Kout\n' });
  expect(text()).toBe('<start:100:devenv_1>[2/3] npm ci\nout\n');
});

test('a mask hides a value of several lines', () => {
  expect(maskCommand('100%\r\nsecret')).toBe('::add-mask::100%25%0D%0Asecret');
});

const options = {
  color: false,
  verbose: false,
  interactive: false,
  stream: process.stderr, // each log has its own way to write
  stopping: () => false,
};

function shown(dialect: (write: (line: string) => void, unixTime: () => number) => JobLog): {
  event: (event: Event) => void;
  text: () => string;
} {
  let all = '';
  const renderer = jobLogRenderer(
    options,
    dialect(
      (line) => (all += `${line}\n`),
      () => 100,
    ),
  );
  return {
    event: (event) => renderer.event(event),
    text: () =>
      all
        .replaceAll(/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, 'TOKEN')
        // eslint-disable-next-line no-control-regex
        .replaceAll(/\u001B\[0Ksection_(\w+:\d+:\w+)\r\u001B\[0K/g, '<$1>'),
  };
}

/** The lines that the runner would take for commands: it looks at all but those between a stop and its token. */
function obeyed(lines: readonly string[]): string[] {
  let token: string | undefined;
  return lines.filter((line) => {
    if (token !== undefined) {
      if (line === `::${token}::`) token = undefined;
      return false;
    }
    token = /^::stop-commands::(.*)$/.exec(line)?.[1];
    return line.trimStart().startsWith('::') || line.includes('##[');
  });
}
