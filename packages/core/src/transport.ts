import { accessSync, constants } from 'node:fs';
import type { Transport } from './build/build-tools.ts';

/** Where the distributions keep their bundle: Debian, Red Hat, openSUSE, Alpine (as in Go's crypto/x509). */
const bundles = ['/etc/ssl/certs/ca-certificates.crt', '/etc/pki/tls/certs/ca-bundle.crt', '/etc/ssl/ca-bundle.pem', '/etc/ssl/cert.pem'];

/** Where the bundle is shown inside. */
const inside = '/run/devenv/ca.pem';

/** Who reads which variable: OpenSSL and Go, Node, Python's requests, curl, git; apt reads a configuration that names the bundle. */
const certificateVariables = {
  SSL_CERT_FILE: inside,
  NODE_EXTRA_CA_CERTS: inside,
  REQUESTS_CA_BUNDLE: inside,
  CURL_CA_BUNDLE: inside,
  GIT_SSL_CAINFO: inside,
  APT_CONFIG: '/run/devenv/apt.conf',
};

const proxyVariables = ['HTTP_PROXY', 'HTTPS_PROXY', 'FTP_PROXY', 'ALL_PROXY', 'NO_PROXY'];

/** The host's CA bundle and proxies, as they reach into containers when the file says `certificates` (the default). */
export function hostTransport(enabled: boolean, env: Readonly<Record<string, string | undefined>>): Transport {
  if (!enabled) return { certificates: undefined, env: {}, proxies: {} };
  const certificates = [env['SSL_CERT_FILE'], ...bundles].find((path) => path !== undefined && isReadable(path));
  const proxies = Object.fromEntries(
    proxyVariables.flatMap((name) => [name, name.toLowerCase()]).flatMap((name) => (env[name] ? [[name, env[name]] as const] : [])),
  );
  return { certificates, env: { ...(certificates === undefined ? {} : certificateVariables), ...proxies }, proxies };
}

function isReadable(path: string): boolean {
  try {
    accessSync(path, constants.R_OK);
    return true;
  } catch {
    return false;
  }
}
