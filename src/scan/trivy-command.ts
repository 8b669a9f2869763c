import type { DatabaseSource, ImageSource, TrivyOptions } from './trivy-options.ts';

// No telemetry, no look for a newer Trivy; only what went wrong on standard error. The memory cache, since the default one locks its folder
// against a second process.
const QUIET = ['--quiet', '--disable-telemetry', '--skip-version-check'];
const OFFLINE = ['--skip-db-update', '--skip-java-db-update', '--offline-scan', '--cache-backend', 'memory'];
// Packages without vulnerabilities are left out of the report. The engine's time-out ends a scan; Trivy's own (5 min) must not come first.
const VULNERABILITIES = [
  '--format',
  'json',
  '--scanners',
  'vuln',
  '--pkg-types',
  'os,library',
  '--list-all-pkgs=false',
  '--timeout',
  '2400h',
];

/** Scans the image that the runtime knows by a name. `--`: nothing after it is an option. */
export function scanImageArguments(cacheDir: string, name: string): string[] {
  return ['image', ...scanArguments(cacheDir), '--image-src', 'containerd', '--', name];
}

export function scanSbomArguments(cacheDir: string, path: string): string[] {
  return ['sbom', ...scanArguments(cacheDir), '--', path];
}

export function versionArguments(cacheDir: string): string[] {
  return ['version', '--format', 'json', '--cache-dir', cacheDir];
}

export function downloadDatabaseArguments(cacheDir: string, source: DatabaseSource & { kind: 'download' }): string[] {
  const repositories = (source.repositories ?? []).flatMap((repository) => ['--db-repository', repository]);
  return ['image', '--download-db-only', '--no-progress', ...QUIET, '--cache-dir', cacheDir, ...repositories];
}

export function downloadJavaDatabaseArguments(cacheDir: string, source: DatabaseSource & { kind: 'download' }): string[] {
  const repositories = (source.javaRepositories ?? []).flatMap((repository) => ['--java-db-repository', repository]);
  return ['image', '--download-java-db-only', '--no-progress', ...QUIET, '--cache-dir', cacheDir, ...repositories];
}

function scanArguments(cacheDir: string): string[] {
  return ['--cache-dir', cacheDir, ...QUIET, ...OFFLINE, ...VULNERABILITIES];
}

/** Settings of Trivy's that a download may need; any other (`TRIVY_SEVERITY`, `TRIVY_IGNORE_UNFIXED` …) would change what is found. */
const CREDENTIALS = ['TRIVY_USERNAME', 'TRIVY_PASSWORD', 'TRIVY_REGISTRY_TOKEN', 'TRIVY_INSECURE', 'TRIVY_CACERT'];
const REPLACED = /^(?:TRIVY_|CONTAINERD_|GOMEMLIMIT$|TMPDIR$)/;

/** The environment of a download: with the user's home, for registry credentials. */
export function downloadEnvironment(options: TrivyOptions, workDir: string): Record<string, string> {
  const environment = baseEnvironment(options, workDir);
  for (const name of CREDENTIALS) {
    const value = options.env[name];
    if (value !== undefined) environment[name] = value;
  }
  return environment;
}

/** The environment of a scan, in which nothing but the options decides: no settings, plugins or modules out of a home folder. */
export function scanEnvironment(options: TrivyOptions, workDir: string): Record<string, string> {
  const base = Object.entries(baseEnvironment(options, workDir)).filter(([name]) => !name.startsWith('XDG_'));
  return { ...Object.fromEntries(base), ...containerdEnvironment(options.images), HOME: workDir };
}

function baseEnvironment(options: TrivyOptions, workDir: string): Record<string, string> {
  const environment: Record<string, string> = {};
  for (const [name, value] of Object.entries(options.env)) if (value !== undefined && !REPLACED.test(name)) environment[name] = value;
  if (options.memoryLimitBytes !== null) environment['GOMEMLIMIT'] = `${Math.floor(options.memoryLimitBytes)}B`;
  environment['TMPDIR'] = workDir;
  return environment;
}

function containerdEnvironment(images: ImageSource): Record<string, string> {
  if (images.kind !== 'containerd') return {};
  return {
    CONTAINERD_ADDRESS: images.address.replace(/^unix:\/\//, ''),
    // Where the CRI keeps its images.
    CONTAINERD_NAMESPACE: 'k8s.io',
  };
}
