import debianPackages from '../../../../scripts/debian-packages.json' with { type: 'json' };

export const ciSystems = ['github', 'gitlab'] as const;
export type CiSystem = (typeof ciSystems)[number];

export interface CiJob {
  /** Where the system looks for it, relative to the repository. */
  readonly path: string;
  readonly text: string;
}

export interface CiContent {
  /** For a shell. */
  readonly test: string | undefined;
  /** Files whose change makes other layers. */
  readonly inputs: readonly string[];
}

/** One job that runs the tests in the environment. */
export function ciJob(system: CiSystem, content: CiContent): CiJob {
  return system === 'github' ? githubJob(content) : gitlabJob(content);
}

const packages = Object.keys(debianPackages.run).join(' ');
const wherePackage = 'DEVENV_PACKAGE is the path or address of the package that you install devenv from (pnpm package makes it)';

function githubJob({ test, inputs }: CiContent): CiJob {
  const files = ['devenv.json', ...inputs].map((file) => `'${file}'`).join(', ');
  const text = `# Tests in the environment of devenv.json. Written by devenv init --ci github; yours to change.
#
# Permissions: of the repository only reading. devenv makes namespaces and mounts, so it runs as root on the runner, which must be a
# virtual machine with sudo, as GitHub's own are. On a runner that puts jobs into containers, add: container: { options: --privileged }
name: devenv
on: [push, pull_request]
permissions:
  contents: read
jobs:
  test:
    runs-on: ubuntu-24.04
    timeout-minutes: 30
    steps:
      - uses: actions/checkout@v4
      - uses: actions/setup-node@v4
        with:
          node-version: 24
      # ${wherePackage}:
      # set it under Settings, Secrets and variables, Actions, Variables.
      - name: Install devenv
        env:
          DEVENV_PACKAGE: \${{ vars.DEVENV_PACKAGE }}
        run: |
          sudo apt-get update
          sudo apt-get install --yes --no-install-recommends \\
            ${packages} debian-archive-keyring
          sudo env "PATH=$PATH" npm install --global "\${DEVENV_PACKAGE:?is not set}"
      # The layers of earlier runs: steps whose inputs are the same are not run again. As one archive, since they belong to root.
      - uses: actions/cache@v4
        with:
          path: ~/devenv.tar
          key: devenv-\${{ runner.arch }}-\${{ hashFiles(${files}) }}
          restore-keys: devenv-\${{ runner.arch }}-
      - name: Unpack the layers
        run: |
          sudo mkdir -p /var/lib/devenv
          if [ -f ~/devenv.tar ]; then sudo tar --xattrs --xattrs-include='*' --numeric-owner -xf ~/devenv.tar -C /var/lib/devenv; fi
      - name: Test
        run: sudo --preserve-env env "PATH=$PATH" devenv run -- ${test ?? placeholder}
      - name: Pack the layers
        run: sudo tar --xattrs --xattrs-include='*' --numeric-owner -cf ~/devenv.tar -C /var/lib/devenv .
`;
  return { path: '.github/workflows/devenv.yml', text };
}

function gitlabJob({ test }: CiContent): CiJob {
  const text = `# Tests in the environment of devenv.json. Written by devenv init --ci gitlab; yours to change.
#
# Permissions: devenv makes namespaces and mounts. The job needs a runner with the Docker executor and privileged = true under
# [runners.docker] in its config.toml; the tag leads the job there.
devenv:
  image: docker.io/library/node:24-bookworm
  tags: [privileged]
  variables:
    # A volume of the runner, kept between the jobs of this project: steps whose inputs are the same are not run again.
    # It must be no overlay, on which no overlay can stand: the container's own file system will not do.
    DEVENV_BASE_DIR: /cache/devenv
  before_script:
    - apt-get update
    - >-
      apt-get install --yes --no-install-recommends
      ${packages}
    # ${wherePackage}:
    # set it under Settings, CI/CD, Variables.
    - 'npm install --global "\${DEVENV_PACKAGE:?is not set}"'
  script:
    - ${yamlText(`devenv run -- ${test ?? placeholder}`)}
`;
  return { path: '.gitlab-ci.yml', text };
}

const placeholder = 'sh -c "echo replace this by the command that tests the project; exit 1"';

function yamlText(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
