import type { Sourced } from '../proposal.ts';
import type { Repository } from '../repository.ts';
import { present, versionFrom, type Found } from './language.ts';

const newest = '21';

export function java(repository: Repository): Found | undefined {
  const maven = repository.has('pom.xml');
  const [gradle] = present(repository, 'build.gradle.kts', 'build.gradle');
  const from = maven ? 'pom.xml' : gradle;
  if (from === undefined) return undefined;
  const version = wantedVersion(repository, from);
  const release = version?.value ?? newest;
  const wrapper = repository.has(maven ? 'mvnw' : 'gradlew');
  const tool = maven ? (wrapper ? './mvnw' : 'mvn') : wrapper ? './gradlew' : 'gradle';
  const settings = ['settings.gradle', 'settings.gradle.kts', 'gradle.properties', 'gradle/libs.versions.toml'];
  const inputs = maven
    ? present(repository, 'pom.xml', 'mvnw', '.mvn/wrapper/maven-wrapper.properties', '.mvn/maven.config')
    : present(repository, from, 'gradlew', 'gradle/wrapper/gradle-wrapper.jar', 'gradle/wrapper/gradle-wrapper.properties', ...settings);
  return {
    name: 'Java',
    from,
    version,
    image: maven ? `docker.io/library/maven:3-eclipse-temurin-${release}` : `docker.io/library/gradle:jdk${release}`,
    images: maven ? /(?:^|\/)(?:maven|java|universal)$/ : /(?:^|\/)(?:gradle|java|universal)$/,
    packages: ['default-jdk-headless', maven ? 'maven' : 'gradle'],
    steps: ({ user }) => [
      {
        comment: `What ${tool} fetches stays in the layer, in the user's home.`,
        step: { name: 'deps', run: maven ? `${tool} -B dependency:go-offline` : `${tool} --no-daemon dependencies`, inputs, user },
      },
    ],
    test: maven ? `${tool} -B test` : `${tool} test`,
  };
}

function wantedVersion(repository: Repository, manifest: string): Sourced<string> | undefined {
  const written = versionFrom(repository, '.java-version', 'java');
  const exact = /(?:^|-)(?:1\.)?(\d{1,2})(?:\.|$)/.exec(written?.value ?? '')?.[1];
  if (written && exact) return { value: exact, from: written.from };
  const text = repository.text(manifest) ?? '';
  const found =
    /<(?:maven\.compiler\.release|maven\.compiler\.target|maven\.compiler\.source|java\.version|release)>\s*(?:1\.)?(\d{1,2})\s*</.exec(
      text,
    ) ??
    /JavaLanguageVersion\.of\((\d{1,2})\)/.exec(text) ??
    /(?:jvmToolchain\(|VERSION_)(\d{1,2})/.exec(text);
  return found ? { value: found[1]!, from: manifest } : undefined;
}
