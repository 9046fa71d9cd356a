import { createInterface, type Interface } from 'node:readline/promises';
import { text } from 'node:stream/consumers';
import { Writable } from 'node:stream';

/** Asks a line of the terminal. Undefined: the user wants to give none (Ctrl-C, Ctrl-D). */
export async function askLine(question: string, signal: AbortSignal): Promise<string | undefined> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return (await answer(terminal, question, signal))?.trim();
  } finally {
    terminal.close();
  }
}

/** As `askLine`, and nobody sees it being typed. */
export async function askSecret(question: string, signal: AbortSignal): Promise<string | undefined> {
  process.stderr.write(question);
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const terminal = createInterface({ input: process.stdin, output: nowhere, terminal: true });
  try {
    return await answer(terminal, '', signal);
  } finally {
    terminal.close();
    process.stderr.write('\n');
  }
}

/** Of a terminal that is read key by key, Ctrl-C is no signal. */
function answer(terminal: Interface, question: string, signal: AbortSignal): Promise<string | undefined> {
  return new Promise((resolve) => {
    const stop = (): void => resolve(undefined);
    for (const event of ['SIGINT', 'close']) terminal.once(event, stop);
    terminal.question(question, { signal }).then(resolve, stop);
  });
}

/** All of stdin without its last line's end. */
export async function secretFromStdin(): Promise<string> {
  return (await text(process.stdin)).replace(/\r?\n$/, '');
}
