import { constants } from 'node:os';

/**
 * The number of the signal that an image names to be stopped with: `SIGQUIT`, `QUIT`, `3`, `SIGRTMIN+3`. One that says nothing,
 * or nothing that is a signal, is ended with SIGTERM, as Docker does it.
 */
export function stopSignalNumber(name: string | undefined): number {
  const word = (name ?? '').toUpperCase().replace(/^SIG/, '');
  if (/^\d+$/.test(word)) return isSignal(Number(word)) ? Number(word) : constants.signals.SIGTERM;
  const [, base, offset] = /^(RTMIN|RTMAX)(?:([+-]\d+))?$/.exec(word) ?? [];
  const real = base === undefined ? 0 : (base === 'RTMIN' ? firstRealTime : last) + Number(offset ?? 0);
  if (real >= firstRealTime && real <= last) return real;
  return (constants.signals as Readonly<Record<string, number | undefined>>)[`SIG${word}`] ?? constants.signals.SIGTERM;
}

const firstRealTime = 34; // the two before are the C library's own (signal(7))
const last = 64;

function isSignal(number: number): boolean {
  return number >= 1 && number <= last;
}
