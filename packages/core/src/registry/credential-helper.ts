import { UserError } from '../base/errors.ts';
import { run } from '../base/processes.ts';
import type { Credentials } from './registry.ts';

/** A helper may ask the user to unlock a key ring. */
const patience = 60_000; // ms

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * One of Docker's credential helpers (docker/docker-credential-helpers): a program `docker-credential-NAME` that takes its one
 * word from the command line and everything else from its input. No secret is ever an argument.
 */
export class CredentialHelper {
  readonly program: string;
  readonly #env: Environment;

  /** Undefined when the name is none: it leads to no other directory. */
  static named(name: unknown, env: Environment): CredentialHelper | undefined {
    return typeof name === 'string' && /^[A-Za-z0-9][A-Za-z0-9_.-]*$/.test(name)
      ? new CredentialHelper(`docker-credential-${name}`, env)
      : undefined;
  }

  private constructor(program: string, env: Environment) {
    this.program = program;
    this.#env = env;
  }

  /** Undefined when it has none for the host. @throws UserError TOOL_MISSING, HELPER_FAILED */
  async get(server: string): Promise<Credentials | undefined> {
    const answer = await this.#call('get', server);
    if (answer === undefined) return undefined;
    try {
      const { Username: user, Secret: secret } = JSON.parse(answer) as { Username?: unknown; Secret?: unknown };
      if (typeof secret !== 'string' || secret === '' || typeof user !== 'string') return undefined;
      return user === '<token>' ? { kind: 'identity', token: secret } : { kind: 'password', user, password: secret };
    } catch {
      throw this.#failed('its answer is no JSON');
    }
  }

  async store(server: string, { user, password }: { readonly user: string; readonly password: string }): Promise<void> {
    await this.#call('store', JSON.stringify({ ServerURL: server, Username: user, Secret: password }));
  }

  /** Idempotent. */
  async erase(server: string): Promise<void> {
    await this.#call('erase', server);
  }

  /** Undefined: it knows no such server. What it prints may be a secret: it is never told. */
  async #call(action: 'get' | 'store' | 'erase', input: string): Promise<string | undefined> {
    const done = await run(this.program, [action], { env: this.#env, input, signal: AbortSignal.timeout(patience) }).catch(
      (error: unknown) => {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT')
          throw new UserError('TOOL_MISSING', `The credential helper ${this.program} is not installed.`, {
            hint: 'Install it, or take it out of "credsStore" and "credHelpers" in ~/.docker/config.json.',
          });
        throw this.#failed((error as Error).name === 'AbortError' ? `it takes longer than ${patience / 1000} s` : 'it cannot be started');
      },
    );
    if (done.exitCode === 0) return done.stdout;
    // The only way to tell "none" from a failure (credentials/error.go there).
    if (/credentials not found/i.test(done.stdout + done.stderr)) return undefined;
    throw this.#failed(`it ends with ${done.exitCode}`);
  }

  #failed(why: string): UserError {
    return new UserError('HELPER_FAILED', `The credential helper ${this.program} does not work: ${why}.`, {
      hint: `Try it by hand: echo HOST | ${this.program} get`,
    });
  }
}
