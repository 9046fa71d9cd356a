import { expect, test } from 'vitest';
import { applyChange } from './apply-change.ts';

test.each([
  ['CMD ["a", "b c"]', {}, { Cmd: ['a', 'b c'] }],
  ['cmd echo $HOME', {}, { Cmd: ['/bin/sh', '-c', 'echo $HOME'] }],
  ['ENTRYPOINT ["/init"]', { Cmd: ['old'] }, { Entrypoint: ['/init'], Cmd: null }],
  ['ENV A=1 B="two words" C=x\\ y', { Env: ['PATH=/bin', 'A=0'] }, { Env: ['PATH=/bin', 'A=1', 'B=two words', 'C=x y'] }],
  ['ENV A the rest of it', {}, { Env: ['A=the rest of it'] }],
  ['LABEL a.b=c "d e"=\'f g\'', { Labels: { x: 'y' } }, { Labels: { x: 'y', 'a.b': 'c', 'd e': 'f g' } }],
  ['EXPOSE 80 53/udp', { ExposedPorts: { '22/tcp': {} } }, { ExposedPorts: { '22/tcp': {}, '80/tcp': {}, '53/udp': {} } }],
  ['VOLUME ["/a b"]', {}, { Volumes: { '/a b': {} } }],
  ['VOLUME /a /b', {}, { Volumes: { '/a': {}, '/b': {} } }],
  ['USER 1000:users', {}, { User: '1000:users' }],
  ['WORKDIR sub', { WorkingDir: '/srv' }, { WorkingDir: '/srv/sub' }],
  ['STOPSIGNAL SIGINT', { User: 'kept' }, { User: 'kept', StopSignal: 'SIGINT' }],
])('%s', (line, before, after) => expect(applyChange(before, line)).toEqual(after));

test.each(['RUN make', 'ENV A', 'ENV =1', 'EXPOSE x', 'CMD', ''])('%j is refused', (line) =>
  expect(() => applyChange({}, line)).toThrow(expect.objectContaining({ code: 'BAD_VALUE' }) as Error),
);
