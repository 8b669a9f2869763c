import type { DatabaseSource, ImageSource, TrivyOptions } from './trivy-options.ts';

// No telemetry, no look for a newer Trivy; only what went wrong on standard error.
const QUIET = ['--quiet', '--disable-telemetry', '--skip-version-check'];
// The memory cache, since the default one would write below the cache folder.
const OFFLINE = ['--skip-db-update', '--skip-java-db-update', '--offline-scan', '--cache-backend', 'memory'];
// Packages without vulnerabilities are left out of the report. The engine's time-out ends a scan; Trivy's own (5 min) must not come first.
// What is analysed and asked for by these arguments goes into stored analyses: who changes them raises FORM in analysis-form.ts.
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

/** Where a Trivy process has its index of Java archives, and who judges what it reads. */
export interface ClientPlace {
  readonly cacheDir: string;
  /** The address of the server. */
  readonly server: string;
}

/** Scans the image that the runtime knows by a name. `--`: nothing after it is an option. */
export function scanImageArguments(place: ClientPlace, name: string): string[] {
  return ['image', ...clientArguments(place), '--image-src', 'containerd', '--', name];
}

export function scanSbomArguments(place: ClientPlace, path: string): string[] {
  return ['sbom', ...clientArguments(place), '--', path];
}

/** A server on a port of the kernel's choice, which keeps in memory what it is told. It does not know all options of `QUIET`. */
export function serverArguments(cacheDir: string): string[] {
  return ['server', '--listen', '127.0.0.1:0', '--cache-dir', cacheDir, '--cache-backend', 'memory', '--skip-db-update', '--quiet'];
}

export function versionArguments(cacheDir: string): string[] {
  return ['version', '--format', 'json', '--cache-dir', cacheDir];
}

export function downloadDatabaseArguments(cacheDir: string, source: DatabaseSource & { kind: 'download' }): string[] {
  const repositories = (source.repositories ?? []).flatMap((repository) => ['--db-repository', repository]);
  return ['image', '--download-db-only', '--no-progress', ...QUIET, '--cache-dir', cacheDir, ...repositories];
}

export function downloadJavaDatabaseArguments(cacheDir: string, javaRepositories: readonly string[] = []): string[] {
  const repositories = javaRepositories.flatMap((repository) => ['--java-db-repository', repository]);
  return ['image', '--download-java-db-only', '--no-progress', ...QUIET, '--cache-dir', cacheDir, ...repositories];
}

function clientArguments({ cacheDir, server }: ClientPlace): string[] {
  return ['--server', server, '--cache-dir', cacheDir, ...QUIET, ...OFFLINE, ...VULNERABILITIES];
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

/** The environment of a scan by a server, whose token is for no other eyes: a command line is for all. */
export function clientEnvironment(options: TrivyOptions, workDir: string, token: string): Record<string, string> {
  return { ...scanEnvironment(options, workDir), TRIVY_TOKEN: token };
}

/** The environment of our own server, which needs nothing of the runtime. */
export function serverEnvironment(options: TrivyOptions, workDir: string, token: string): Record<string, string> {
  return { ...scanEnvironment({ ...options, images: { kind: 'other', runtimeName: '' } }, workDir), TRIVY_TOKEN: token };
}

/** Per cent: Go's default is 100. */
const GARBAGE_PER_LIVE_BYTES = '400';

function baseEnvironment(options: TrivyOptions, workDir: string): Record<string, string> {
  const environment: Record<string, string> = {};
  for (const [name, value] of Object.entries(options.env)) if (value !== undefined && !REPLACED.test(name)) environment[name] = value;
  if (options.memoryLimitBytes !== null) {
    environment['GOMEMLIMIT'] = `${Math.floor(options.memoryLimitBytes)}B`;
    // A fifth of a small scan's processor time is garbage collection, at a few megabytes; near the limit Go collects as often as it has to.
    environment['GOGC'] ??= GARBAGE_PER_LIVE_BYTES;
  }
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
