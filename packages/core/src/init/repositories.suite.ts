import { expect } from 'vitest';

export type Files = Readonly<Record<string, string>>;
/** Any part of what a test makes of the configuration and the job. */
type Expected = Partial<Record<'image' | 'user' | 'workspace' | 'command' | 'create' | 'test', unknown>> & {
  readonly steps?: readonly unknown[];
  readonly env?: object;
  readonly ports?: readonly string[];
};

/** Kinds of repositories, and what the file that init writes for them means. */
export const repositories: Readonly<Record<string, readonly [Files, Expected]>> = {
  'an empty folder': [{}, { image: 'bookworm', steps: ['apt curl git'], user: 'dev', ports: [], test: undefined }],
  'a package.json without anything': [
    { 'package.json': '{}' },
    { image: 'docker.io/library/node:24-bookworm', steps: [], test: undefined },
  ],
  'npm with a lock file and .nvmrc': [
    { 'package.json': '{ "scripts": { "test": "node --test" } }', 'package-lock.json': '{}', '.nvmrc': 'v22.3.0\n' },
    {
      image: 'docker.io/library/node:22.3.0-bookworm',
      steps: ['npm ci < package-lock.json package.json > node_modules'],
      test: 'npm test',
    },
  ],
  'a version by the name of its line': [{ 'package.json': '{}', '.nvmrc': 'lts/Iron' }, { image: 'docker.io/library/node:20-bookworm' }],
  'a release older than the images on bookworm': [
    { 'package.json': '{}', '.node-version': '18.12.1' },
    { image: 'docker.io/library/node:18.12.1-bullseye' },
  ],
  'npm with a range in engines and no lock file': [
    { 'package.json': '{ "engines": { "node": "^20 || ^22" }, "dependencies": { "express": "5" } }' },
    { image: 'docker.io/library/node:22-bookworm', steps: ['npm install < package.json > node_modules'] },
  ],
  'a version in .tool-versions': [
    { 'package.json': '{}', '.tool-versions': 'ruby 3.3\nnodejs 20.11.1\n' },
    { image: 'docker.io/library/node:20.11.1-bookworm' },
  ],
  'pnpm with workspaces': [
    {
      'package.json': '{ "packageManager": "pnpm@9.12.0+sha512.abc", "scripts": { "test": "x" } }',
      'pnpm-lock.yaml': '',
      'pnpm-workspace.yaml': 'packages: ["packages/*", "!packages/old", "tools"]',
      'packages/a/package.json': '{}',
      'packages/b/package.json': '{}',
      'tools/package.json': '{}',
    },
    {
      steps: [
        'npm install --global --force pnpm@9.12.0',
        'pnpm install --frozen-lockfile < package.json packages/*/package.json pnpm-lock.yaml pnpm-workspace.yaml tools/package.json > node_modules packages/a/node_modules packages/b/node_modules tools/node_modules',
      ],
      test: 'pnpm test',
    },
  ],
  'yarn 1': [
    { 'package.json': '{}', 'yarn.lock': '' },
    { steps: ['yarn install --frozen-lockfile < package.json yarn.lock > node_modules'] },
  ],
  'Python with requirements that name others': [
    { 'requirements.txt': '-r base/all.txt\npytest', 'base/all.txt': 'flask', '.python-version': '3.12.4' },
    {
      image: 'docker.io/library/python:3.12.4-bookworm',
      steps: ['python3 -m venv .venv && .venv/bin/pip install -r requirements.txt < base/all.txt requirements.txt > .venv'],
      env: { PATH: '/workspace/.venv/bin:${containerEnv:PATH}', VIRTUAL_ENV: '/workspace/.venv' },
      test: 'pytest',
    },
  ],
  'Python with a pyproject.toml only': [
    { 'pyproject.toml': '[project]\nname = "x"\nrequires-python = ">=3.10,<3.13"\n', 'tests/test_x.py': '' },
    {
      image: 'docker.io/library/python:3.12-bookworm',
      steps: ['python3 -m venv .venv > .venv'],
      create: '.venv/bin/pip install --editable .',
      test: 'python -m unittest discover',
    },
  ],
  'Python with uv': [
    { 'pyproject.toml': '[project]\nrequires-python = "~=3.11"\n[tool.pytest.ini_options]\n', 'uv.lock': '' },
    {
      image: 'docker.io/library/python:3.13-bookworm',
      steps: [
        expect.stringContaining('/opt/uv/bin/pip install uv'),
        'uv sync --frozen --no-install-project < pyproject.toml uv.lock > .venv',
      ],
      create: undefined,
      test: 'pytest',
    },
  ],
  'Python with poetry': [
    { 'pyproject.toml': '[tool.poetry.dependencies]\npython = "^3.9"\n', 'poetry.lock': '' },
    {
      image: 'docker.io/library/python:3.13-bookworm',
      steps: [
        expect.stringContaining('/opt/poetry/bin/pip'),
        'poetry install --no-root --no-interaction < poetry.lock pyproject.toml > .venv',
      ],
    },
  ],
  Go: [
    { 'go.mod': 'module x\n\ngo 1.23.4\n\nrequire example.com/a v1.0.0\n', 'go.sum': '' },
    { image: 'docker.io/library/golang:1.23.4-bookworm', steps: ['go mod download < go.mod go.sum as dev'], test: 'go test ./...' },
  ],
  'Go with a front end': [
    { 'go.mod': 'module x\ngo 1.19\n', 'package.json': '{}', 'package-lock.json': '{}' },
    { image: 'docker.io/library/golang:1-bookworm', steps: ['apt nodejs npm', 'npm ci < package-lock.json package.json > node_modules'] },
  ],
  Rust: [
    { 'Cargo.toml': '[package]\nname = "x"\nrust-version = "1.80"\n', 'Cargo.lock': '', 'src/main.rs': '' },
    {
      image: 'docker.io/library/rust:1.80-bookworm',
      steps: [expect.stringContaining('cargo fetch --locked')],
      test: 'cargo test',
    },
  ],
  'a Rust workspace': [
    { 'Cargo.toml': '[workspace]\nmembers = ["a"]\n', 'Cargo.lock': '' },
    { steps: [], create: 'cargo fetch' },
  ],
  'C with a Makefile': [
    { Makefile: 'all: x\ncheck:\n\t./x\n', 'src/x.c': '' },
    { image: 'bookworm', steps: ['apt build-essential curl gdb git'], test: 'make check' },
  ],
  'C++ with CMake': [
    { 'CMakeLists.txt': '' },
    { steps: ['apt build-essential cmake curl gdb git'], test: expect.stringContaining('ctest') },
  ],
  'a Makefile beside a language': [
    { Makefile: 'test:\n', 'go.mod': 'module x\n' },
    { steps: [], test: 'go test ./...' },
  ],
  Ruby: [
    { Gemfile: 'ruby "~> 3.3.0"\n', 'Gemfile.lock': '', 'spec/x.rb': '' },
    {
      image: 'docker.io/library/ruby:3.3-bookworm',
      steps: ['bundle install < Gemfile Gemfile.lock > vendor/bundle'],
      test: 'bundle exec rspec',
    },
  ],
  PHP: [
    { 'composer.json': '{ "require": { "php": "^8.2" }, "require-dev": { "phpunit/phpunit": "11" } }' },
    {
      image: 'docker.io/library/php:8.2-cli-bookworm',
      steps: [
        expect.stringContaining('getcomposer.org'),
        'apt git unzip',
        'composer install --no-interaction --no-scripts < composer.json > vendor',
      ],
      test: 'vendor/bin/phpunit',
    },
  ],
  Maven: [
    { 'pom.xml': '<project><properties><java.version>17</java.version></properties></project>' },
    {
      image: 'docker.io/library/maven:3-eclipse-temurin-17',
      steps: ['mvn -B dependency:go-offline < pom.xml as dev'],
      test: 'mvn -B test',
    },
  ],
  'Gradle with its wrapper': [
    { 'build.gradle.kts': 'kotlin { jvmToolchain(21) }', gradlew: '', 'gradle/wrapper/gradle-wrapper.properties': '' },
    {
      image: 'docker.io/library/gradle:jdk21',
      steps: ['./gradlew --no-daemon dependencies < build.gradle.kts gradle/wrapper/gradle-wrapper.properties gradlew as dev'],
      test: './gradlew test',
    },
  ],
  'a Dockerfile of one stage': [
    {
      'package.json': '{}',
      Dockerfile: [
        'ARG VERSION=22',
        'FROM node:${VERSION}-bookworm-slim',
        'RUN apt-get update && apt-get install -y --no-install-recommends \\',
        '    imagemagick libpq-dev=15.* && rm -rf /var/lib/apt/lists/*',
        'RUN apt-get install -y tini ffmpeg',
        'ENV NODE_ENV=production GREETING="hello $NAME" PATH=/app/bin:$PATH',
        'WORKDIR /usr/src',
        'WORKDIR app',
        'EXPOSE 3000 80/tcp 53/udp',
        'USER node:node',
        'CMD ["node", "server.js"]',
      ].join('\n'),
    },
    {
      image: 'node:22-bookworm-slim',
      workspace: '/usr/src/app',
      user: 'node',
      steps: ['apt ffmpeg git tini'],
      env: { GREETING: 'hello ${containerEnv:NAME}', PATH: '/app/bin:${containerEnv:PATH}' },
      ports: ['3000:3000', '8080:80', '8053:53/udp'],
      command: ['node', 'server.js'],
    },
  ],
  'a Dockerfile whose last stage has no tools': [
    {
      'go.mod': 'module x\n',
      Dockerfile:
        'FROM golang:1.24 AS build\nRUN go build\nFROM gcr.io/distroless/static\nCOPY --from=build /x /x\nEXPOSE 8080\nUSER nonroot',
    },
    { image: 'golang:1.24', ports: ['8080:8080'], user: 'dev' },
  ],
  'a Dockerfile whose image none of the languages is in': [
    { 'package.json': '{}', Dockerfile: 'FROM nginx:alpine\nCOPY dist /usr/share/nginx/html\nWORKDIR /etc/nginx' },
    { image: 'docker.io/library/node:24-bookworm', workspace: '/workspace' },
  ],
  'a Dockerfile that stands on its own stage': [
    { Dockerfile: 'FROM debian:bookworm AS base\nENV A=1\nEXPOSE 1500\nFROM base\nENV B=$A' },
    { image: 'debian:bookworm', env: { A: '1', B: '1' }, ports: ['1500:1500'] },
  ],
  'a compose file': [
    {
      Dockerfile: 'FROM debian:bookworm\nEXPOSE 3000',
      'compose.yaml':
        'services:\n  web:\n    build: .\n    ports: ["127.0.0.1:4000:3000", "${DEBUG_PORT:-9229}:9229", { target: 80, published: "8081" }, "1-2:3-4"]\n  db:\n    image: postgres\n    ports: ["5432:5432"]\n',
    },
    { ports: ['4000:3000', '9229:9229', '8081:80'] },
  ],
  'a dev container': [
    {
      'package.json': '{}',
      'package-lock.json': '{}',
      '.devcontainer/devcontainer.json': `{ // a comment
        "image": "mcr.microsoft.com/devcontainers/typescript-node:22",
        "forwardPorts": [3000, "db:5432"],
        "containerEnv": { "A": "\${localEnv:HOME_X}/\${localWorkspaceFolder}", "B": "\${devcontainerId}" },
        "remoteUser": "node",
        "postCreateCommand": "npm install",
        "features": { "ghcr.io/devcontainers/features/git:1": {} },
        "customizations": { "vscode": { "extensions": ["dbaeumer.vscode-eslint"] } },
      }`,
    },
    {
      image: 'mcr.microsoft.com/devcontainers/typescript-node:22',
      ports: ['3000:3000'],
      env: { A: expect.stringMatching(/^\/.*devenv-init-/) },
      user: 'node',
      create: undefined,
    },
  ],
  'a dev container with a Dockerfile of its own': [
    {
      '.devcontainer/devcontainer.json':
        '{ "build": { "dockerfile": "Dockerfile" }, "postCreateCommand": { "a": "make", "b": ["x", "y"] } }',
      '.devcontainer/Dockerfile': 'FROM ubuntu:24.04',
      Dockerfile: 'FROM scratch',
    },
    { image: 'ubuntu:24.04', create: 'make' },
  ],
  'files that are damaged': [
    { 'package.json': '{{{', 'pyproject.toml': '=', 'compose.yaml': '\t- [', Dockerfile: 'FROM', '.devcontainer.json': '[' },
    { image: 'docker.io/library/node:24-bookworm' },
  ],
  'files that are hostile': [
    {
      'package.json':
        '{ "engines": { "node": "\\n*/ \\u202e" }, "packageManager": "pnpm@9\\"; rm -rf /", "workspaces": ["../*", "/etc", "a\\n\\"b"] }',
      '.nvmrc': '24"\n}, "x',
      Dockerfile:
        'FROM $(reboot)\nENV "A B"=1 C="${localEnv:SECRET}" D=${\nEXPOSE 99999 $X\nUSER ../x\nWORKDIR /x/../../proc\nCMD echo ${localEnv:SECRET}',
      'compose.yaml': 'services: { "x\\n}": { image: "a\\n},\\"b\\": 1" } }',
      '.devcontainer.json': '{ "containerEnv": { "x=": "1", "Y": "${" }, "postCreateCommand": "${localEnv:TOKEN}", "remoteUser": "a b" }',
    },
    {
      image: 'docker.io/library/node:24-bookworm',
      user: 'dev',
      create: undefined,
      env: { C: '$${localEnv:SECRET}', D: '$${', Y: '$${' },
      ports: [],
    },
  ],
};
