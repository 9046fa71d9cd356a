// Installs what devenv is compared with: Debian's docker.io, podman and what measures, and @devcontainers/cli below .cache. As root.
// A peer that is missing is left out of the results, so that this is no condition of `pnpm bench`.
import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { peersFolder } from './peers.ts';

const packages = ['docker.io', 'iptables', 'podman', 'skopeo', 'docker-registry', 'tar', 'zstd', 'time', 'iproute2'];
const inherit = { stdio: 'inherit', env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } } as const;
execFileSync('apt-get', ['update'], inherit);
execFileSync('apt-get', ['install', '--yes', '--no-install-recommends', ...packages], inherit);
mkdirSync(peersFolder, { recursive: true });
execFileSync('npm', ['install', '--no-audit', '--no-fund', '--prefix', peersFolder, '@devcontainers/cli@0.89.0'], inherit);
