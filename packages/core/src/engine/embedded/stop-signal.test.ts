import { expect, test } from 'vitest';
import { stopSignalNumber } from './stop-signal.ts';

test.each([
  [undefined, 15], ['', 15], ['SIGUSR1', 10], ['usr1', 10], ['QUIT', 3], ['9', 9], ['SIGRTMIN+3', 37], ['RTMAX-1', 63],
  ['0', 15], ['65', 15], ['SIGNOTHING', 15], ['RTMIN+40', 15],
] as const)('%s is %i', (name, number) => expect(stopSignalNumber(name)).toBe(number)); // prettier-ignore
