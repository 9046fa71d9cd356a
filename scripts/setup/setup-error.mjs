import process from 'node:process';

/** Something the person at the keyboard can mend: shown as two lines, never as a stack trace. */
export class SetupError extends Error {
  constructor(message, hint) {
    super(message);
    this.hint = hint;
  }
}

/** Runs `main`; a SetupError ends the process with 1 and its text. Anything else is a bug and keeps its trace. */
export async function reportingErrors(main) {
  try {
    process.exitCode = await main();
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    console.error(`\n${error.message}`);
    if (error.hint) console.error(`Hint: ${error.hint}`);
    process.exitCode = 1;
  }
}
