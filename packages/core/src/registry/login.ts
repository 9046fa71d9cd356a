import { UserError } from '../base/errors.ts';
import { basicHeader } from './authorize.ts';
import { Connection, type ConnectionOptions } from './connection.ts';
import { storeCredentials } from './credentials.ts';
import type { Credentials, Password, StoredCredentials } from './registry.ts';

export interface LoginOptions extends Pick<ConnectionOptions, 'client' | 'endpoint' | 'signal' | 'pause' | 'report'> {
  readonly password: Password;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** Keeps a password that the registry takes. @throws UserError REGISTRY_DENIED and what keeping it throws */
export async function login(options: LoginOptions): Promise<StoredCredentials> {
  const { endpoint, password } = options;
  if (password.user === '' || password.user.includes(':') || password.password === '')
    throw new UserError('BAD_VALUE', 'A login needs a user name without a colon, and a password.');
  const given: Credentials = { kind: 'password', ...password };
  let used = false;
  const connection = new Connection({
    ...options,
    repository: '',
    credentials: async (host) => {
      used = true;
      return host === endpoint.host ? given : undefined;
    },
  });
  let response = await connection.request('');
  // It lets everybody look; whether it takes the password it says only when it is shown it.
  if (!used) {
    response.discard();
    connection.present(basicHeader(password));
    response = await connection.request('');
  }
  response.discard();
  const withheld = connection.withheld();
  if (withheld) throw withheld;
  if (response.status !== 200) throw connection.answer(`it answers ${response.status} to a login`);
  return storeCredentials(endpoint.host, password, options.env);
}
