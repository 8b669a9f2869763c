import { describe, expect, it } from 'vitest';
import {
  clientEnvironment,
  downloadDatabaseArguments,
  downloadEnvironment,
  downloadJavaDatabaseArguments,
  scanEnvironment,
  scanImageArguments,
  serverArguments,
  serverEnvironment,
} from './trivy-command.ts';
import type { TrivyOptions } from './trivy-options.ts';

const options: TrivyOptions = {
  binary: 'trivy',
  images: { kind: 'containerd', address: 'unix:///run/containerd/containerd.sock' },
  database: { kind: 'as-is' },
  cacheDir: '/cache',
  tmpDir: '/tmp',
  memoryLimitBytes: 500_000_000.5,
  now: () => 0,
  env: {
    PATH: '/bin',
    HOME: '/root',
    XDG_DATA_HOME: '/data',
    HTTPS_PROXY: 'http://proxy',
    TMPDIR: '/elsewhere',
    GOMEMLIMIT: 'off',
    CONTAINERD_NAMESPACE: 'default',
    TRIVY_SEVERITY: 'CRITICAL',
    TRIVY_IGNORE_UNFIXED: 'true',
    TRIVY_USERNAME: 'robot',
    UNSET: undefined,
  },
};

const place = { cacheDir: '/cache', server: 'http://127.0.0.1:1/scan/1/' };

describe('scanImageArguments', () => {
  it('ends the options before the name', () => {
    expect(scanImageArguments(place, '--debug').slice(-2)).toEqual(['--', '--debug']);
  });

  it('asks for vulnerabilities of every severity, offline, from containerd alone', () => {
    const args = scanImageArguments(place, 'a:1');
    expect(args).toEqual(expect.arrayContaining(['--skip-db-update', '--skip-java-db-update', '--offline-scan', '--disable-telemetry']));
    expect(args.join(' ')).toContain('--image-src containerd');
    expect(args.join(' ')).not.toMatch(/--severity|--ignore/);
  });
});

describe('scanEnvironment', () => {
  it('holds nothing that changes what is found', () => {
    expect(scanEnvironment(options, '/tmp/work')).toEqual({
      PATH: '/bin',
      HOME: '/tmp/work',
      HTTPS_PROXY: 'http://proxy',
      TMPDIR: '/tmp/work',
      GOMEMLIMIT: '500000000B',
      GOGC: '400',
      CONTAINERD_ADDRESS: '/run/containerd/containerd.sock',
      CONTAINERD_NAMESPACE: 'k8s.io',
    });
  });

  it('leaves the memory unlimited where no limit is given', () => {
    expect(scanEnvironment({ ...options, memoryLimitBytes: null }, '/tmp/work')).not.toHaveProperty('GOMEMLIMIT');
  });
});

describe('a server', () => {
  it('has its token in its environment alone, and nothing of the runtime', () => {
    expect(serverEnvironment(options, '/tmp/work', 'secret')).toMatchObject({ TRIVY_TOKEN: 'secret', HOME: '/tmp/work' });
    expect(serverEnvironment(options, '/tmp/work', 'secret')).not.toHaveProperty('CONTAINERD_ADDRESS');
    expect(clientEnvironment(options, '/tmp/work', 'secret')).toMatchObject({ TRIVY_TOKEN: 'secret', CONTAINERD_NAMESPACE: 'k8s.io' });
  });

  it('listens on this machine alone, and updates no database', () => {
    expect(serverArguments('/cache').join(' ')).toBe(
      'server --listen 127.0.0.1:0 --cache-dir /cache --cache-backend memory --skip-db-update --quiet',
    );
  });
});

describe('downloads', () => {
  it('have the home and the credentials for the registry', () => {
    const environment = downloadEnvironment(options, '/tmp/work');
    expect(environment).toMatchObject({ HOME: '/root', XDG_DATA_HOME: '/data', TRIVY_USERNAME: 'robot', TMPDIR: '/tmp/work' });
    expect(environment).not.toHaveProperty('TRIVY_SEVERITY');
  });

  it('name the repositories in order', () => {
    const source = { kind: 'download', repositories: ['a/db', 'b/db'] } as const;
    expect(downloadDatabaseArguments('/cache', source).slice(-4)).toEqual(['--db-repository', 'a/db', '--db-repository', 'b/db']);
    expect(downloadJavaDatabaseArguments('/cache', ['a/java']).slice(-2)).toEqual(['--java-db-repository', 'a/java']);
    expect(downloadDatabaseArguments('/cache', { kind: 'download' })).not.toContain('--db-repository');
  });
});
