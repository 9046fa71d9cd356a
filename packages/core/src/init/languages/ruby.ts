import type { Repository } from '../repository.ts';
import { minorVersion, present, versionFrom, type Found } from './language.ts';

export function ruby(repository: Repository): Found | undefined {
  const gemfile = repository.text('Gemfile');
  if (gemfile === undefined) return undefined;
  const written = versionFrom(repository, '.ruby-version', 'ruby');
  const declared = /^\s*ruby\s+["'][^"'\d]*(\d+\.\d+)/m.exec(gemfile)?.[1];
  const minor = minorVersion(written?.value);
  const version = written && minor ? { value: minor, from: written.from } : declared ? { value: declared, from: 'Gemfile' } : undefined;
  return {
    name: 'Ruby',
    from: 'Gemfile',
    version,
    image: `docker.io/library/ruby:${version?.value ?? '3.4'}-bookworm`,
    images: /(?:^|\/)(?:ruby|universal)$/,
    packages: ['ruby', 'ruby-dev', 'bundler', 'build-essential'],
    steps: () => [
      {
        comment: 'The gems appear in vendor/bundle inside the workspace; the folder on this machine stays clean.',
        step: {
          name: 'deps',
          run: 'bundle install',
          inputs: present(repository, 'Gemfile', 'Gemfile.lock', '.ruby-version'),
          outputs: ['vendor/bundle'],
          env: { BUNDLE_PATH: 'vendor/bundle' },
        },
      },
    ],
    env: { BUNDLE_PATH: { value: 'vendor/bundle', from: 'where the gems are' } },
    test: repository.hasFolder('spec') ? 'bundle exec rspec' : repository.has('Rakefile') ? 'bundle exec rake test' : undefined,
  };
}
