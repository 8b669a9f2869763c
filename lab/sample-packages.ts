import type { Files } from './build-image.ts';

export interface SamplePackage {
  readonly name: string;
  readonly version: string;
}

/** An Alpine root with its package database. By the real clock 3.19 and older are past their end of life, 3.22 is not. */
export function alpineFiles(release: string, packages: readonly SamplePackage[]): Files {
  const installed = packages.map(({ name, version }) => `P:${name}\nV:${version}\nA:x86_64\no:${name}\nL:MIT\n`).join('\n');
  return {
    'etc/alpine-release': `${release}\n`,
    'etc/os-release': osRelease({ ID: 'alpine', NAME: 'Alpine Linux', VERSION_ID: release, PRETTY_NAME: `Alpine Linux ${release}` }),
    'lib/apk/db/installed': `${installed}\n`,
  };
}

/** A Debian root with its package database; each package is made from the source package of its name. */
export function debianFiles(release: string, packages: readonly SamplePackage[]): Files {
  const paragraph = ({ name, version }: SamplePackage): string =>
    [
      `Package: ${name}`,
      'Status: install ok installed',
      'Priority: optional',
      'Section: libs',
      'Maintainer: Nobody <nobody@example.org>',
      'Architecture: amd64',
      `Version: ${version}`,
      `Description: ${name}`,
      '',
    ].join('\n');
  return {
    'etc/debian_version': `${release}\n`,
    'etc/os-release': osRelease({
      ID: 'debian',
      NAME: 'Debian GNU/Linux',
      VERSION_ID: release,
      PRETTY_NAME: `Debian GNU/Linux ${release}`,
    }),
    'var/lib/dpkg/status': `${packages.map(paragraph).join('\n')}\n`,
  };
}

/** Installed npm packages, in `app/node_modules`. */
export function npmFiles(packages: readonly SamplePackage[]): Files {
  return Object.fromEntries(
    packages.map(({ name, version }) => [`app/node_modules/${name}/package.json`, JSON.stringify({ name, version, license: 'MIT' })]),
  );
}

function osRelease(values: Readonly<Record<string, string>>): string {
  return Object.entries(values)
    .map(([key, value]) => `${key}="${value}"\n`)
    .join('');
}
